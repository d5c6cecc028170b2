/* Which lists merge by which keys: the table built into kustomize v5, of Kubernetes 1.21.2. */
#include "merge.h"

#define TYPE(name, ...)                                                                            \
	static const struct merge_field name##_fields[] = {__VA_ARGS__, {NULL, NULL, NULL}};       \
	static const struct merge_type name = {name##_fields, NULL}
#define MAP_OF(field, type)                                                                        \
	{                                                                                          \
		field, NULL, &(type)                                                               \
	}
#define LIST(field, keys)                                                                          \
	{                                                                                          \
		field, keys, NULL                                                                  \
	}
#define LIST_OF(field, keys, type)                                                                 \
	{                                                                                          \
		field, keys, &(type)                                                               \
	}

TYPE(object_meta, LIST("finalizers", "-"), LIST("ownerReferences", "uid"));
#define META MAP_OF("metadata", object_meta)
TYPE(conditions, LIST("conditions", "type"));
#define CONDITIONS MAP_OF("status", conditions)
TYPE(only_meta, META);
TYPE(meta_conditions, META, CONDITIONS);
TYPE(webhooks, META, LIST("webhooks", "name"));
TYPE(component_status, META, LIST("conditions", "type"));

TYPE(container, LIST("env", "name"), LIST("ports", "containerPort,protocol"),
     LIST("volumeDevices", "devicePath"), LIST("volumeMounts", "mountPath"));
TYPE(ephemeral_container, LIST("env", "name"), LIST("volumeDevices", "devicePath"),
     LIST("volumeMounts", "mountPath"));
TYPE(ephemeral_volume, MAP_OF("volumeClaimTemplate", only_meta));
TYPE(volume, MAP_OF("ephemeral", ephemeral_volume));
TYPE(pod_spec, LIST_OF("containers", "name", container),
     LIST_OF("ephemeralContainers", "name", ephemeral_container), LIST("hostAliases", "ip"),
     LIST("imagePullSecrets", "name"), LIST_OF("initContainers", "name", container),
     LIST("topologySpreadConstraints", "topologyKey,whenUnsatisfiable"),
     LIST_OF("volumes", "name", volume));
TYPE(pod_status, LIST("conditions", "type"), LIST("podIPs", "ip"));
TYPE(pod, META, MAP_OF("spec", pod_spec), MAP_OF("status", pod_status));
TYPE(pod_template_spec, META, MAP_OF("spec", pod_spec));
TYPE(with_template, MAP_OF("template", pod_template_spec));
TYPE(pod_template, META, MAP_OF("template", pod_template_spec));
TYPE(workload, META, MAP_OF("spec", with_template), CONDITIONS);
TYPE(job_template, META, MAP_OF("spec", with_template));
TYPE(cron_job_spec, MAP_OF("jobTemplate", job_template));
TYPE(cron_job, META, MAP_OF("spec", cron_job_spec));
TYPE(node_spec, LIST("podCIDRs", "-"));
TYPE(node_status, LIST("addresses", "type"), LIST("conditions", "type"));
TYPE(cluster_node, META, MAP_OF("spec", node_spec), MAP_OF("status", node_status));
TYPE(service_spec, LIST("ports", "port,protocol"));
TYPE(service, META, MAP_OF("spec", service_spec), CONDITIONS);
TYPE(service_account, META, LIST("secrets", "name"));
TYPE(csi_node_spec, LIST("drivers", "name"));
TYPE(csi_node, META, MAP_OF("spec", csi_node_spec));

static const struct {
	const char *api_versions, *kinds; /* words */
	const struct merge_type *type;
} builtin[] = {
	{"apps/v1", "DaemonSet Deployment ReplicaSet StatefulSet", &workload},
	{"batch/v1", "Job", &workload},
	{"batch/v1 batch/v1beta1", "CronJob", &cron_job},
	{"v1", "ReplicationController", &workload},
	{"v1", "Pod", &pod},
	{"v1", "PodTemplate", &pod_template},
	{"v1", "Service", &service},
	{"v1", "ServiceAccount", &service_account},
	{"v1", "Node", &cluster_node},
	{"v1", "ComponentStatus", &component_status},
	{"v1", "Namespace PersistentVolumeClaim", &meta_conditions},
	{"v1", "Binding ConfigMap Endpoints Event LimitRange PersistentVolume ResourceQuota Secret",
	 &only_meta},
	{"admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1beta1",
	 "MutatingWebhookConfiguration ValidatingWebhookConfiguration", &webhooks},
	{"apiextensions.k8s.io/v1 apiextensions.k8s.io/v1beta1", "CustomResourceDefinition",
	 &only_meta},
	{"apiregistration.k8s.io/v1 apiregistration.k8s.io/v1beta1", "APIService",
	 &meta_conditions},
	{"apps/v1", "ControllerRevision", &only_meta},
	{"authentication.k8s.io/v1", "TokenRequest", &only_meta},
	{"authentication.k8s.io/v1 authentication.k8s.io/v1beta1", "TokenReview", &only_meta},
	{"authorization.k8s.io/v1 authorization.k8s.io/v1beta1",
	 "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview "
	 "SubjectAccessReview",
	 &only_meta},
	{"autoscaling/v1", "Scale", &only_meta},
	{"autoscaling/v1 autoscaling/v2beta1 autoscaling/v2beta2", "HorizontalPodAutoscaler",
	 &only_meta},
	{"certificates.k8s.io/v1 certificates.k8s.io/v1beta1", "CertificateSigningRequest",
	 &only_meta},
	{"coordination.k8s.io/v1 coordination.k8s.io/v1beta1", "Lease", &only_meta},
	{"discovery.k8s.io/v1 discovery.k8s.io/v1beta1", "EndpointSlice", &only_meta},
	{"events.k8s.io/v1 events.k8s.io/v1beta1", "Event", &only_meta},
	{"extensions/v1beta1", "Ingress", &only_meta},
	{"flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema PriorityLevelConfiguration",
	 &only_meta},
	{"networking.k8s.io/v1 networking.k8s.io/v1beta1", "Ingress IngressClass", &only_meta},
	{"networking.k8s.io/v1", "NetworkPolicy", &only_meta},
	{"node.k8s.io/v1 node.k8s.io/v1beta1", "RuntimeClass", &only_meta},
	{"policy/v1 policy/v1beta1", "PodDisruptionBudget", &meta_conditions},
	{"policy/v1beta1", "Eviction PodSecurityPolicy", &only_meta},
	{"rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1",
	 "ClusterRole ClusterRoleBinding Role RoleBinding", &only_meta},
	{"scheduling.k8s.io/v1 scheduling.k8s.io/v1beta1", "PriorityClass", &only_meta},
	{"storage.k8s.io/v1 storage.k8s.io/v1beta1", "CSINode", &csi_node},
	{"storage.k8s.io/v1 storage.k8s.io/v1beta1", "CSIDriver StorageClass VolumeAttachment",
	 &only_meta},
	{"storage.k8s.io/v1beta1", "CSIStorageCapacity", &only_meta},
};

static bool has_word(const char *words, str word)
{
	str rest = str_from(words), w;

	while (str_split(&rest, ' ', &w))
		if (str_eq(w, word))
			return true;
	return false;
}

const struct merge_type *merge_type_of(const struct merge_types *all, str api_version, str kind)
{
	if (all)
		return merge_types_get(all, api_version, kind);
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		if (has_word(builtin[i].kinds, kind) &&
		    has_word(builtin[i].api_versions, api_version))
			return builtin[i].type;
	return NULL;
}

/* Those that types of the user's refer to. */
static const struct {
	const char *names; /* words, behind "io.k8s." */
	const struct merge_type *type;
} named[] = {
	{"apimachinery.pkg.apis.meta.v1.ObjectMeta", &object_meta},
	{"api.core.v1.PodTemplateSpec", &pod_template_spec},
	{"api.core.v1.PodSpec", &pod_spec},
	{"api.core.v1.PodStatus", &pod_status},
	{"api.core.v1.Container", &container},
	{"api.core.v1.EphemeralContainer", &ephemeral_container},
	{"api.core.v1.EphemeralVolumeSource", &ephemeral_volume},
	{"api.core.v1.PersistentVolumeClaimTemplate api.core.v1.ConfigMap api.core.v1.Secret",
	 &only_meta},
	{"api.core.v1.PersistentVolumeClaim api.core.v1.Namespace", &meta_conditions},
	{"api.core.v1.Volume", &volume},
	{"api.core.v1.Service", &service},
	{"api.core.v1.ServiceSpec", &service_spec},
	{"api.core.v1.ServiceAccount", &service_account},
	{"api.core.v1.Pod", &pod},
	{"api.core.v1.PodTemplate", &pod_template},
	{"api.core.v1.ReplicationController api.apps.v1.DaemonSet api.apps.v1.Deployment "
	 "api.apps.v1.ReplicaSet api.apps.v1.StatefulSet api.batch.v1.Job",
	 &workload},
	{"api.core.v1.ReplicationControllerSpec api.apps.v1.DaemonSetSpec "
	 "api.apps.v1.DeploymentSpec api.apps.v1.ReplicaSetSpec api.apps.v1.StatefulSetSpec "
	 "api.batch.v1.JobSpec",
	 &with_template},
	{"api.batch.v1.CronJob api.batch.v1beta1.CronJob", &cron_job},
	{"api.batch.v1.CronJobSpec api.batch.v1beta1.CronJobSpec", &cron_job_spec},
	{"api.batch.v1.JobTemplateSpec api.batch.v1beta1.JobTemplateSpec", &job_template},
};

const struct merge_type *merge_type_named(str name)
{
	if (!str_starts(name, STR("io.k8s.")))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		if (has_word(named[i].names, str_sub(name, 7, SIZE_MAX)))
			return named[i].type;
	return NULL;
}
