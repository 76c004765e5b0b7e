//! HTTP: routes, problem details, OpenAPI, events, the console's files.
