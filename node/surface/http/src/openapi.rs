//! openapi.json, made from the table of routes and from the types that are sent: it cannot say another thing.

mod operation;

pub(crate) use operation::Operation;

use crate::routes;
use ikigai_wire::api::{API_VERSION, Code, Problem};
use operation::Answer;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The document, as text that ends with a newline.
pub fn text() -> String {
    let mut document = document();
    // Whichever map serde_json is built with, the text is the same.
    document.sort_all_objects();
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// The document.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes::table() {
        for operation in route.operations {
            let path = operation.path(route.path);
            let item = schemas.operation(&operation, &path);
            let entry = paths.entry(path).or_insert_with(|| json!({}));
            entry[operation.method()] = item;
        }
    }
    let error = schemas.answer::<Problem>("Error");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ikigai",
            "version": API_VERSION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "The API of a node. Over the Unix socket the kernel says who calls; over TCP a bearer \
                token or a session is needed. `x-ikigai-action` is what the node's policy calls an operation. Within v1 fields are only added.",
        },
        "servers": [{ "url": "http://localhost:7420" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": { "Error": {
                "description": errors(),
                "headers": { "X-Request-Id": { "schema": { "type": "string" } } },
                "content": { "application/json": { "schema": error } },
            } },
            "schemas": schemas.finish(),
        },
    })
}

/// Which code comes with which status, and with which exit code of the command line.
fn errors() -> String {
    use Code::{Conflict, Denied, Failed, NotFound, TimedOut, Unauthenticated, Unreachable, Usage};
    let all = [Failed, Usage, NotFound, Unauthenticated, Denied, Conflict, Unreachable, TimedOut];
    let one = |c: Code| format!("{} is {} (exit code {})", json!(c), c.http_status(), c.exit_code());
    let rest = "Requests that no handler saw may be 405, 408, 411, 413, 415, 421 or 431 with these codes";
    format!("What went wrong and what to do. {}. {rest}.", all.map(one).join(", "))
}

/// Schemas of what is answered, by reference; of what is asked, written out: there a field with a default may
/// be left away, here it is always sent.
pub(crate) struct Schemas {
    sent: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let mut sent = SchemaSettings::draft2020_12().for_serialize();
        sent.definitions_path = "/components/schemas".into();
        let mut taken = SchemaSettings::draft2020_12().for_deserialize();
        taken.inline_subschemas = true;
        Self { sent: sent.into_generator(), taken: taken.into_generator() }
    }

    pub(crate) fn sent<T: JsonSchema>(&mut self) -> Value {
        self.sent.subschema_for::<T>().to_value()
    }

    pub(crate) fn taken<T: JsonSchema>(&mut self) -> Value {
        self.taken.subschema_for::<T>().to_value()
    }

    /// A document of `kind` around `T`.
    pub(crate) fn answer<T: JsonSchema>(&mut self, kind: &str) -> Value {
        json!({ "allOf": [head(kind), self.sent::<T>()] })
    }

    /// A list of `T`.
    pub(crate) fn list<T: JsonSchema>(&mut self, kind: &str) -> Value {
        let mut list = head(kind);
        list["properties"]["items"] = json!({ "type": "array", "items": self.sent::<T>() });
        list["properties"]["next"] = json!({
            "type": "string",
            "description": "Pass as `cursor` for the next page; absent at the end.",
        });
        list["required"] = json!(["apiVersion", "kind", "items"]);
        list
    }

    fn operation(&mut self, operation: &Operation, path: &str) -> Value {
        let mut item = json!({
            "operationId": operation.id(),
            "summary": operation.summary(),
            "responses": {
                "200": self.response(operation.answer()),
                "default": { "$ref": "#/components/responses/Error" },
            },
        });
        if let Some(action) = operation.action() {
            item["x-ikigai-action"] = action.name().into();
        }
        let parameters = operation.parameters(self, path);
        if !parameters.is_empty() {
            item["parameters"] = parameters.into();
        }
        if let Some(body) = operation.request(self) {
            item["requestBody"] = json!({ "content": { "application/json": { "schema": body } } });
        }
        item
    }

    fn response(&mut self, answer: &Answer) -> Value {
        let content = match answer {
            Answer::Document(schema) => json!({ "application/json": { "schema": schema(self) } }),
            Answer::Text(kind) => json!({ *kind: {} }),
            Answer::Stream(kinds, schema) => {
                let schema = schema(self);
                let kinds = kinds.iter().map(|k| ((*k).to_owned(), json!({ "schema": schema.clone() })));
                Value::Object(kinds.collect())
            }
        };
        json!({ "description": "OK", "content": content })
    }

    fn finish(mut self) -> Map<String, Value> {
        self.sent.take_definitions(true)
    }
}

fn head(kind: &str) -> Value {
    json!({
        "type": "object",
        "properties": {
            "apiVersion": { "type": "string", "const": API_VERSION },
            "kind": { "type": "string", "const": kind },
        },
        "required": ["apiVersion", "kind"],
    })
}
