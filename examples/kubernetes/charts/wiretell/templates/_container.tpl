{{/*
wiretell's container, an entry of a pod's initContainers. It takes a map:

  root           what .Values of this chart hangs on: $ here, .Subcharts.wiretell in a chart that depends on this one
  containerName  the application's container, for k8s.container.name; optional

  initContainers:
  - {{- include "wiretell.container" (dict "root" .Subcharts.wiretell "containerName" "app") | nindent 2 }}
*/}}
{{- define "wiretell.container" -}}
{{- $values := .root.Values -}}
name: wiretell
image: {{ include "wiretell.image" .root | quote }}
{{- with $values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
restartPolicy: Always
args:
- run
- --when-denied=stay
{{- with $values.command.extraArgs }}
{{ toYaml . }}
{{- end }}
env:
{{- with $values.otlp.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with $values.otlp.protocol }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ . | quote }}
{{- end }}
- name: OTEL_SERVICE_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['app.kubernetes.io/name']
- name: NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_UID
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name=$(NAMESPACE),k8s.pod.name=$(POD_NAME),k8s.pod.uid=$(POD_UID),k8s.node.name=$(NODE_NAME),service.instance.id=$(NAMESPACE).$(POD_NAME)
  {{- with get . "containerName" }},k8s.container.name={{ . }}{{ end }}
{{- if and $values.useGOMEMLIMIT (dig "limits" "memory" "" $values.resources) }}
- name: GOMEMLIMIT
  value: {{ include "wiretell.gomemlimit" $values.resources.limits.memory }}
{{- end }}
{{- with $values.config }}
- name: WIRETELL_CONFIG_CONTENTS
  value: {{ toYaml . | quote }}
{{- end }}
{{- with $values.extraEnvs }}
{{ toYaml . }}
{{- end }}
{{- with get $values "startupProbe" }}
startupProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with get $values "livenessProbe" }}
livenessProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    {{- if eq $values.podSecurity "baseline" }}
    drop: [AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, NET_BIND_SERVICE, SETFCAP, SETGID, SETPCAP, SETUID, SYS_CHROOT]
    {{- else }}
    drop: [ALL]
    add: [NET_RAW]
    {{- end }}
  seccompProfile:
    type: RuntimeDefault
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}
