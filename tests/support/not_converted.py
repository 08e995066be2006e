"""The modules that have sentences of their own still, which no catalogue has."""

NOT_CONVERTED = {
    "audit_history",
    "cards",
    "digest",
    "failure_groups",
    "fields",
    "home",
    "labels",
    "lists",
    "modals",
    "notifications",
    "oncall",
    "operation_results",
    "permissions",
    "queries",
    "watch",
}
