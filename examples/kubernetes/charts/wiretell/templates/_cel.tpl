{{/*
A value as a CEL expression of the types that mutations use. It takes a map:

  type   the name of the type of the value if it is an object, as Object.spec.initContainers
  value  what to write; a map with the one key "cel" holds an expression

Maps of requests and limits have no type, as their keys are free.
*/}}
{{- define "wiretell.cel" -}}
{{- $type := .type -}}
{{- if kindIs "map" .value -}}
{{- if hasKey .value "cel" -}}
{{ .value.cel }}
{{- else if regexMatch "[.]resources[.](limits|requests)$" $type -}}
{
{{- range $i, $key := keys .value | sortAlpha }}
  {{ toJson $key }}: {{ include "wiretell.cel" (dict "type" $type "value" (toString (get $.value $key))) }},
{{- end }}
}
{{- else -}}
{{ $type }}{
{{- range $i, $key := keys .value | sortAlpha }}
  {{ $key }}: {{ include "wiretell.cel" (dict "type" (printf "%s.%s" $type $key) "value" (get $.value $key)) | indent 2 | trim }},
{{- end }}
}
{{- end -}}
{{- else if kindIs "slice" .value -}}
[
{{- range .value }}
  {{ include "wiretell.cel" (dict "type" $type "value" .) | indent 2 | trim }},
{{- end }}
]
{{- else -}}
{{ toJson .value }}
{{- end -}}
{{- end }}

{{/*
The variable that names the service, by a label of the pod or else by its first container.
*/}}
{{- define "wiretell.serviceName" -}}
variables.serviceLabel == "" ?
Object.spec.initContainers.env{name: "OTEL_SERVICE_NAME", value: object.spec.containers[0].name} :
Object.spec.initContainers.env{name: "OTEL_SERVICE_NAME", valueFrom: Object.spec.initContainers.env.valueFrom{
  fieldRef: Object.spec.initContainers.env.valueFrom.fieldRef{fieldPath: "metadata.labels['" + variables.serviceLabel + "']"}}}
{{- end }}
