/* Fields that the API server refuses to change once they are set: a change of them is a deletion
 * and a creation. From the validation of Kubernetes 1.36 (pkg/apis, ValidateUpdate). */
#include "plan_priv.h"

static const struct row {
	str group, kind, path;
	bool set; /* only once it was set */
} rows[] = {
	{STR("apps"), STR("Deployment"), STR(".spec.selector"), false},
	{STR("apps"), STR("DaemonSet"), STR(".spec.selector"), false},
	{STR("apps"), STR("ReplicaSet"), STR(".spec.selector"), false},
	{STR("apps"), STR("StatefulSet"), STR(".spec.selector"), false},
	{STR("apps"), STR("StatefulSet"), STR(".spec.serviceName"), false},
	{STR("apps"), STR("StatefulSet"), STR(".spec.podManagementPolicy"), false},
	{STR("apps"), STR("StatefulSet"), STR(".spec.volumeClaimTemplates"), false},
	{STR("batch"), STR("Job"), STR(".spec.template"), false},
	{STR("batch"), STR("Job"), STR(".spec.selector"), false},
	{STR("batch"), STR("Job"), STR(".spec.completionMode"), false},
	{STR(""), STR("Secret"), STR(".type"), false},
	{STR(""), STR("Service"), STR(".spec.clusterIP"), true},
	{STR(""), STR("PersistentVolumeClaim"), STR(".spec.accessModes"), false},
	{STR(""), STR("PersistentVolumeClaim"), STR(".spec.storageClassName"), true},
	{STR(""), STR("PersistentVolumeClaim"), STR(".spec.volumeName"), true},
	{STR(""), STR("PersistentVolumeClaim"), STR(".spec.volumeMode"), false},
	{STR(""), STR("PersistentVolumeClaim"), STR(".spec.selector"), false},
	{STR(""), STR("PersistentVolumeClaim"), STR(".spec.dataSource"), false},
	{STR("rbac.authorization.k8s.io"), STR("RoleBinding"), STR(".roleRef"), false},
	{STR("rbac.authorization.k8s.io"), STR("ClusterRoleBinding"), STR(".roleRef"), false},
	{STR("storage.k8s.io"), STR("StorageClass"), STR(".provisioner"), false},
	{STR("storage.k8s.io"), STR("StorageClass"), STR(".parameters"), false},
	{STR("storage.k8s.io"), STR("StorageClass"), STR(".reclaimPolicy"), false},
	{STR("storage.k8s.io"), STR("StorageClass"), STR(".volumeBindingMode"), false},
	{STR("scheduling.k8s.io"), STR("PriorityClass"), STR(".value"), false},
	{STR("scheduling.k8s.io"), STR("PriorityClass"), STR(".preemptionPolicy"), false},
	{STR("networking.k8s.io"), STR("IngressClass"), STR(".spec.controller"), false},
	{STR("apiextensions.k8s.io"), STR("CustomResourceDefinition"), STR(".spec.group"), false},
	{STR("apiextensions.k8s.io"), STR("CustomResourceDefinition"), STR(".spec.scope"), false},
	{STR("apiextensions.k8s.io"), STR("CustomResourceDefinition"), STR(".spec.names.plural"),
	 false},
	{STR("apiextensions.k8s.io"), STR("CustomResourceDefinition"), STR(".spec.names.kind"),
	 false},
};

/* Of Pods everything but these. */
static const str pod_may_change[] = {
	STR(".metadata"),
	STR(".spec.activeDeadlineSeconds"),
	STR(".spec.tolerations"),
	STR(".spec.terminationGracePeriodSeconds"),
	STR(".spec.schedulingGates"),
};

static bool below(str path, str above)
{
	return str_starts(path, above) &&
	       (path.n == above.n || path.p[above.n] == '.' || path.p[above.n] == '[');
}

static bool is_pod_image(str path)
{
	return (str_starts(path, STR(".spec.containers[")) ||
		str_starts(path, STR(".spec.initContainers["))) &&
	       str_ends(path, STR(".image"));
}

static bool is_fixed(obj_id id, const struct node *live, const struct diff_change *c)
{
	bool frozen = node_bool(node_get(live, STR("immutable")), false);

	if (!id.group.n && frozen && (str_eq(id.kind, STR("ConfigMap")) || obj_is_secret(id)))
		return below(c->path, STR(".data")) || below(c->path, STR(".binaryData")) ||
		       below(c->path, STR(".immutable"));
	if (!id.group.n && str_eq(id.kind, STR("Pod"))) {
		for (size_t i = 0; i < ARRAY_LEN(pod_may_change); i++)
			if (below(c->path, pod_may_change[i]))
				return false;
		return !is_pod_image(c->path);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].kind, id.kind) && str_eq(rows[i].group, id.group) &&
		    below(c->path, rows[i].path) && (!rows[i].set || c->live))
			return true;
	return false;
}

str fixed_field(obj_id id, const struct node *live, const struct diff_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		if (diff_class_written(changes->p[i].class) && is_fixed(id, live, &changes->p[i]))
			return changes->p[i].path;
	return STR_NONE;
}

bool fixed_needs_own_word(obj_id id)
{
	static const struct {
		str group, kind;
	} kinds[] = {
		{STR(""), STR("PersistentVolumeClaim")},
		{STR(""), STR("PersistentVolume")},
		{STR(""), STR("Namespace")},
		{STR("apiextensions.k8s.io"), STR("CustomResourceDefinition")},
		{STR("apps"), STR("StatefulSet")},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(kinds[i].group, id.group) && str_eq(kinds[i].kind, id.kind))
			return true;
	return false;
}
