/* The default field specs of kustomize v5.8.1 (its api/internal/konfig/builtinpluginconsts), rows
 * of one path for several kinds: kinds, path, group, version, create. */
#include "fieldspec.h"

/* clang-format off */
static const struct fieldspec_row labels_rows[] = {
	{"Service ReplicationController", "spec/selector", NULL, "v1", true},
	{"Deployment ReplicaSet DaemonSet", "spec/selector/matchLabels", NULL, NULL, true},
	{"Deployment StatefulSet", "spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels", "apps", NULL, false},
	{"Deployment StatefulSet", "spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels", "apps", NULL, false},
	{"Deployment StatefulSet", "spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels", "apps", NULL, false},
	{"Deployment StatefulSet", "spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels", "apps", NULL, false},
	{"Deployment StatefulSet", "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels", "apps", NULL, false},
	{"StatefulSet", "spec/selector/matchLabels", "apps", NULL, true},
	{"Job", "spec/selector/matchLabels", "batch", NULL, false},
	{"CronJob", "spec/jobTemplate/spec/selector/matchLabels", "batch", NULL, false},
	{"PodDisruptionBudget", "spec/selector/matchLabels", "policy", NULL, false},
	{"NetworkPolicy", "spec/podSelector/matchLabels", "networking.k8s.io", NULL, false},
	{"NetworkPolicy", "spec/ingress/from/podSelector/matchLabels", "networking.k8s.io", NULL, false},
	{"NetworkPolicy", "spec/egress/to/podSelector/matchLabels", "networking.k8s.io", NULL, false},
	{"", "metadata/labels", NULL, NULL, true},
	{"ReplicationController", "spec/template/metadata/labels", NULL, "v1", true},
	{"Deployment ReplicaSet DaemonSet", "spec/template/metadata/labels", NULL, NULL, true},
	{"StatefulSet", "spec/template/metadata/labels", "apps", NULL, true},
	{"StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", "apps", NULL, true},
	{"Job", "spec/template/metadata/labels", "batch", NULL, true},
	{"CronJob", "spec/jobTemplate/metadata/labels", "batch", NULL, true},
	{"CronJob", "spec/jobTemplate/spec/template/metadata/labels", "batch", NULL, true},
};
const struct fieldspec_table fieldspec_labels = {labels_rows, ARRAY_LEN(labels_rows)};

static const struct fieldspec_row template_labels_rows[] = {
	{"", "metadata/labels", NULL, NULL, true},
	{"ReplicationController", "spec/template/metadata/labels", NULL, "v1", true},
	{"Deployment ReplicaSet DaemonSet", "spec/template/metadata/labels", NULL, NULL, true},
	{"StatefulSet", "spec/template/metadata/labels", "apps", NULL, true},
	{"StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", "apps", NULL, true},
	{"Job", "spec/template/metadata/labels", "batch", NULL, true},
	{"CronJob", "spec/jobTemplate/metadata/labels", "batch", NULL, true},
	{"CronJob", "spec/jobTemplate/spec/template/metadata/labels", "batch", NULL, true},
};
const struct fieldspec_table fieldspec_template_labels = {template_labels_rows, ARRAY_LEN(template_labels_rows)};

static const struct fieldspec_row annotations_rows[] = {
	{"", "metadata/annotations", NULL, NULL, true},
	{"ReplicationController", "spec/template/metadata/annotations", NULL, "v1", true},
	{"Deployment ReplicaSet DaemonSet StatefulSet", "spec/template/metadata/annotations", NULL, NULL, true},
	{"Job", "spec/template/metadata/annotations", "batch", NULL, true},
	{"CronJob", "spec/jobTemplate/metadata/annotations", "batch", NULL, true},
	{"CronJob", "spec/jobTemplate/spec/template/metadata/annotations", "batch", NULL, true},
};
const struct fieldspec_table fieldspec_annotations = {annotations_rows, ARRAY_LEN(annotations_rows)};

static const struct fieldspec_row namespaces_rows[] = {
	{"Namespace", "metadata/name", NULL, NULL, true},
	{"APIService", "spec/service/namespace", "apiregistration.k8s.io", NULL, true},
	{"CustomResourceDefinition", "spec/conversion/webhook/clientConfig/service/namespace", "apiextensions.k8s.io", NULL, false},
};
const struct fieldspec_table fieldspec_namespaces = {namespaces_rows, ARRAY_LEN(namespaces_rows)};

static const struct fieldspec_row images_rows[] = {
	{"", "spec/containers[]/image", NULL, NULL, true},
	{"", "spec/initContainers[]/image", NULL, NULL, true},
	{"", "spec/volumes[]/image/reference", NULL, NULL, true},
	{"", "spec/template/spec/containers[]/image", NULL, NULL, true},
	{"", "spec/template/spec/initContainers[]/image", NULL, NULL, true},
	{"", "spec/template/spec/volumes[]/image/reference", NULL, NULL, true},
};
const struct fieldspec_table fieldspec_images = {images_rows, ARRAY_LEN(images_rows)};

static const struct fieldspec_row replicas_rows[] = {
	{"Deployment ReplicationController ReplicaSet StatefulSet", "spec/replicas", NULL, NULL, true},
};
const struct fieldspec_table fieldspec_replicas = {replicas_rows, ARRAY_LEN(replicas_rows)};

static const struct fieldspec_row names_rows[] = {
	{"", "metadata/name", NULL, NULL, false},
};
const struct fieldspec_table fieldspec_names = {names_rows, ARRAY_LEN(names_rows)};

static const struct fieldspec_row vars_rows[] = {
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/args", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/command", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/env/value", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/volumeMounts/mountPath", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/args", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/command", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/env/value", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/volumeMounts/mountPath", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/volumes/nfs/server", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/containers/args", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/containers/command", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/containers/env/value", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/containers/volumeMounts/mountPath", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/initContainers/args", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/initContainers/command", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/initContainers/env/value", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet StatefulSet", "spec/template/spec/initContainers/volumeMounts/mountPath", NULL, NULL, false},
	{"DaemonSet Deployment Job ReplicaSet", "spec/template/spec/volumes/nfs/server", NULL, NULL, false},
	{"Deployment", "spec/template/metadata/annotations", NULL, NULL, false},
	{"Ingress", "spec/rules/host", NULL, NULL, false},
	{"Ingress", "spec/tls/hosts", NULL, NULL, false},
	{"Ingress", "spec/tls/secretName", NULL, NULL, false},
	{"Pod", "spec/containers/args", NULL, NULL, false},
	{"Pod", "spec/containers/command", NULL, NULL, false},
	{"Pod", "spec/containers/env/value", NULL, NULL, false},
	{"Pod", "spec/containers/volumeMounts/mountPath", NULL, NULL, false},
	{"Pod", "spec/initContainers/args", NULL, NULL, false},
	{"Pod", "spec/initContainers/command", NULL, NULL, false},
	{"Pod", "spec/initContainers/env/value", NULL, NULL, false},
	{"Pod", "spec/initContainers/volumeMounts/mountPath", NULL, NULL, false},
	{"Pod", "spec/volumes/nfs/server", NULL, NULL, false},
	{"Service", "spec/ports/port", NULL, NULL, false},
	{"Service", "spec/ports/targetPort", NULL, NULL, false},
	{"StatefulSet", "spec/volumeClaimTemplates/spec/nfs/server", NULL, NULL, false},
	{"PersistentVolume", "spec/nfs/server", NULL, NULL, false},
	{"", "metadata/labels", NULL, NULL, false},
	{"", "metadata/annotations", NULL, NULL, false},
};
const struct fieldspec_table fieldspec_vars = {vars_rows, ARRAY_LEN(vars_rows)};

static const struct fieldspec_row to_StorageClass_rows[] = {
	{"PersistentVolume PersistentVolumeClaim", "spec/storageClassName", NULL, NULL, false},
	{"StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName", NULL, NULL, false},
};
static const struct fieldspec_row to_ServiceAccount_rows[] = {
	{"RoleBinding ClusterRoleBinding", "subjects", "rbac.authorization.k8s.io", NULL, false},
	{"Pod", "spec/serviceAccountName", NULL, NULL, false},
	{"StatefulSet Deployment ReplicationController Job DaemonSet", "spec/template/spec/serviceAccountName", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/serviceAccountName", NULL, NULL, false},
};
static const struct fieldspec_row to_Role_rows[] = {
	{"RoleBinding", "roleRef/name", "rbac.authorization.k8s.io", NULL, false},
};
static const struct fieldspec_row to_ClusterRole_rows[] = {
	{"RoleBinding ClusterRoleBinding", "roleRef/name", "rbac.authorization.k8s.io", NULL, false},
};
static const struct fieldspec_row to_ConfigMap_rows[] = {
	{"Pod", "spec/volumes/configMap/name", NULL, "v1", false},
	{"Pod", "spec/containers/env/valueFrom/configMapKeyRef/name", NULL, "v1", false},
	{"Pod", "spec/initContainers/env/valueFrom/configMapKeyRef/name", NULL, "v1", false},
	{"Pod", "spec/containers/envFrom/configMapRef/name", NULL, "v1", false},
	{"Pod", "spec/initContainers/envFrom/configMapRef/name", NULL, "v1", false},
	{"Pod", "spec/volumes/projected/sources/configMap/name", NULL, "v1", false},
	{"PodTemplate", "template/spec/volumes/configMap/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/containers/env/valueFrom/configMapKeyRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/initContainers/env/valueFrom/configMapKeyRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/containers/envFrom/configMapRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/initContainers/envFrom/configMapRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/volumes/projected/sources/configMap/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/volumes/configMap/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/containers/env/valueFrom/configMapKeyRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/initContainers/env/valueFrom/configMapKeyRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/containers/envFrom/configMapRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/initContainers/envFrom/configMapRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/volumes/projected/sources/configMap/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/volumes/configMap/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/volumes/projected/sources/configMap/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/env/valueFrom/configMapKeyRef/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/env/valueFrom/configMapKeyRef/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/envFrom/configMapRef/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/envFrom/configMapRef/name", NULL, NULL, false},
	{"Node", "spec/configSource/configMap", NULL, NULL, false},
	{"Role ClusterRole", "rules/resourceNames", NULL, NULL, false},
	{"Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap", NULL, NULL, false},
};
static const struct fieldspec_row to_Secret_rows[] = {
	{"Pod", "spec/volumes/secret/secretName", NULL, "v1", false},
	{"Pod", "spec/containers/env/valueFrom/secretKeyRef/name", NULL, "v1", false},
	{"Pod", "spec/initContainers/env/valueFrom/secretKeyRef/name", NULL, "v1", false},
	{"Pod", "spec/containers/envFrom/secretRef/name", NULL, "v1", false},
	{"Pod", "spec/initContainers/envFrom/secretRef/name", NULL, "v1", false},
	{"Pod", "spec/imagePullSecrets/name", NULL, "v1", false},
	{"Pod", "spec/volumes/projected/sources/secret/name", NULL, "v1", false},
	{"PodTemplate", "template/spec/volumes/secret/secretName", NULL, NULL, false},
	{"PodTemplate", "template/spec/containers/env/valueFrom/secretKeyRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/initContainers/env/valueFrom/secretKeyRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/containers/envFrom/secretRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/initContainers/envFrom/secretRef/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/imagePullSecrets/name", NULL, NULL, false},
	{"PodTemplate", "template/spec/volumes/projected/sources/secret/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/volumes/secret/secretName", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/containers/env/valueFrom/secretKeyRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/initContainers/env/valueFrom/secretKeyRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/containers/envFrom/secretRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/initContainers/envFrom/secretRef/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/imagePullSecrets/name", NULL, NULL, false},
	{"Deployment ReplicaSet DaemonSet StatefulSet Job", "spec/template/spec/volumes/projected/sources/secret/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/volumes/secret/secretName", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/volumes/projected/sources/secret/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/env/valueFrom/secretKeyRef/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/env/valueFrom/secretKeyRef/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/containers/envFrom/secretRef/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/initContainers/envFrom/secretRef/name", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/imagePullSecrets/name", NULL, NULL, false},
	{"Ingress", "spec/tls/secretName", NULL, NULL, false},
	{"Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret", NULL, NULL, false},
	{"Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret", NULL, NULL, false},
	{"Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret", NULL, NULL, false},
	{"ServiceAccount", "imagePullSecrets/name", NULL, NULL, false},
	{"StorageClass", "parameters/secretName", NULL, NULL, false},
	{"StorageClass", "parameters/adminSecretName", NULL, NULL, false},
	{"StorageClass", "parameters/userSecretName", NULL, NULL, false},
	{"StorageClass", "parameters/secretRef", NULL, NULL, false},
	{"Role ClusterRole", "rules/resourceNames", NULL, NULL, false},
	{"Service", "spec/template/spec/containers/env/valueFrom/secretKeyRef/name", "serving.knative.dev", "v1", false},
	{"PersistentVolume", "spec/azureFile/secretName", NULL, NULL, false},
};
static const struct fieldspec_row to_Service_rows[] = {
	{"StatefulSet", "spec/serviceName", "apps", NULL, false},
	{"Ingress", "spec/rules/http/paths/backend/serviceName", NULL, NULL, false},
	{"Ingress", "spec/backend/serviceName", NULL, NULL, false},
	{"Ingress", "spec/rules/http/paths/backend/service/name", NULL, NULL, false},
	{"Ingress", "spec/defaultBackend/service/name", NULL, NULL, false},
	{"APIService", "spec/service/name", "apiregistration.k8s.io", NULL, false},
	{"ValidatingWebhookConfiguration MutatingWebhookConfiguration", "webhooks/clientConfig/service", "admissionregistration.k8s.io", NULL, false},
};
static const struct fieldspec_row to_PriorityClass_rows[] = {
	{"Pod", "spec/priorityClassName", NULL, NULL, false},
	{"StatefulSet Deployment ReplicationController Job DaemonSet", "spec/template/spec/priorityClassName", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/priorityClassName", NULL, NULL, false},
};
static const struct fieldspec_row to_PersistentVolume_rows[] = {
	{"PersistentVolumeClaim", "spec/volumeName", NULL, NULL, false},
	{"ClusterRole", "rules/resourceNames", NULL, NULL, false},
};
static const struct fieldspec_row to_PersistentVolumeClaim_rows[] = {
	{"Pod", "spec/volumes/persistentVolumeClaim/claimName", NULL, NULL, false},
	{"StatefulSet Deployment ReplicationController Job DaemonSet", "spec/template/spec/volumes/persistentVolumeClaim/claimName", NULL, NULL, false},
	{"CronJob", "spec/jobTemplate/spec/template/spec/volumes/persistentVolumeClaim/claimName", NULL, NULL, false},
};
static const struct fieldspec_row to_Deployment_rows[] = {
	{"HorizontalPodAutoscaler", "spec/scaleTargetRef/name", NULL, NULL, false},
};
static const struct fieldspec_row to_StatefulSet_rows[] = {
	{"HorizontalPodAutoscaler", "spec/scaleTargetRef/name", NULL, NULL, false},
};
static const struct fieldspec_row to_ValidatingAdmissionPolicy_rows[] = {
	{"ValidatingAdmissionPolicyBinding", "spec/policyName", "admissionregistration.k8s.io", NULL, false},
};
static const struct fieldspec_row to_IngressClass_rows[] = {
	{"Ingress", "spec/ingressClassName", NULL, NULL, false},
};
static const struct fieldspec_row to_ReplicaSet_rows[] = {
	{"HorizontalPodAutoscaler", "spec/scaleTargetRef/name", NULL, NULL, false},
};
static const struct fieldspec_row to_ReplicationController_rows[] = {
	{"HorizontalPodAutoscaler", "spec/scaleTargetRef/name", NULL, NULL, false},
};

#define TARGET(k, g, v)                                                                            \
	{                                                                                          \
		{.group = STR_INIT(g), .version = STR_INIT(v), .kind = STR_INIT(#k)},              \
		{                                                                                  \
			to_##k##_rows, ARRAY_LEN(to_##k##_rows)                                    \
		}                                                                                  \
	}
#define STR_INIT(lit) {"" lit, sizeof(lit) - 1}
const struct fieldspec_nameref fieldspec_namerefs[] = {
	TARGET(StorageClass, "storage.k8s.io", "v1"),
	TARGET(ServiceAccount, "", "v1"),
	TARGET(Role, "rbac.authorization.k8s.io", ""),
	TARGET(ClusterRole, "rbac.authorization.k8s.io", ""),
	TARGET(ConfigMap, "", "v1"),
	TARGET(Secret, "", "v1"),
	TARGET(Service, "", "v1"),
	TARGET(PriorityClass, "scheduling.k8s.io", "v1"),
	TARGET(PersistentVolume, "", "v1"),
	TARGET(PersistentVolumeClaim, "", "v1"),
	TARGET(Deployment, "", ""),
	TARGET(StatefulSet, "", ""),
	TARGET(ValidatingAdmissionPolicy, "admissionregistration.k8s.io", ""),
	TARGET(IngressClass, "networking.k8s.io/v1", "v1"),
	TARGET(ReplicaSet, "", ""),
	TARGET(ReplicationController, "", ""),
};
const size_t fieldspec_namerefs_n = ARRAY_LEN(fieldspec_namerefs);
