//! What is said of one method of one path.

use super::Schemas;
use ikigai_access::Action;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

/// A schema that is made when the generator is there.
type Schema = Box<dyn Fn(&mut Schemas) -> Value>;

/// One operation.
pub(crate) struct Operation {
    method: &'static str,
    id: String,
    summary: String,
    /// Stands for `{action}` in the path.
    command: Option<String>,
    /// What it does, for the policy. Without one nobody may, and a test fails.
    action: Option<Action>,
    query: Option<Schema>,
    body: Option<Schema>,
    keyed: bool,
    answer: Answer,
}

/// What comes back.
pub(crate) enum Answer {
    Document(Schema),
    Text(&'static str),
    Stream(&'static [&'static str], Schema),
}

// === impl Operation ===

impl Operation {
    pub(crate) fn get(id: &str, summary: &str) -> Self {
        Self::new("get", id, summary)
    }

    pub(crate) fn post(id: &str, summary: &str) -> Self {
        Self::new("post", id, summary)
    }

    pub(crate) fn delete(id: &str, summary: &str) -> Self {
        Self::new("delete", id, summary)
    }

    fn new(method: &'static str, id: &str, summary: &str) -> Self {
        let (id, summary, answer) = (id.to_owned(), summary.to_owned(), Answer::Text("text/plain"));
        Self {
            method,
            id,
            summary,
            command: None,
            action: None,
            query: None,
            body: None,
            keyed: false,
            answer,
        }
    }

    /// One operation per variant of `C`: its `kind` is the action, its other fields are the body.
    pub(crate) fn commands<C: JsonSchema>(noun: &str, finish: impl Fn(Self) -> Self) -> Vec<Self> {
        let all = Schemas::new().taken::<C>();
        let variants = all["oneOf"].as_array().cloned().unwrap_or_default();
        variants.into_iter().map(|v| finish(Self::of_command(noun, v))).collect()
    }

    fn of_command(noun: &str, mut variant: Value) -> Self {
        let action = variant["properties"]["kind"]["const"].as_str().unwrap_or_default().to_owned();
        let summary = variant["description"].as_str().unwrap_or_default().trim_end_matches('.').to_owned();
        let mut operation = Self::post(&format!("{action}{noun}"), &summary);
        operation.command = Some(action);
        let fields = variant["properties"].as_object_mut().map(|fields| {
            fields.remove("kind");
            std::mem::take(fields)
        });
        let required = variant["required"].as_array().cloned().unwrap_or_default();
        let required: Vec<_> = required.into_iter().filter(|r| r != "kind").collect();
        operation.body = fields.filter(|fields| !fields.is_empty()).map(|fields| {
            let mut body = json!({ "type": "object", "properties": fields, "additionalProperties": false });
            if !required.is_empty() {
                body["required"] = required.into();
            }
            Box::new(move |_: &mut Schemas| body.clone()) as Schema
        });
        operation
    }

    /// What it does, as the policy names it.
    pub(crate) fn may(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }

    pub(crate) fn query<T: JsonSchema + 'static>(mut self) -> Self {
        self.query = Some(Box::new(Schemas::taken::<T>));
        self
    }

    pub(crate) fn body<T: JsonSchema + 'static>(mut self) -> Self {
        self.body = Some(Box::new(Schemas::taken::<T>));
        self
    }

    /// It takes an `Idempotency-Key`.
    pub(crate) fn keyed(mut self) -> Self {
        self.keyed = true;
        self
    }

    pub(crate) fn document<T: JsonSchema + 'static>(self, kind: &'static str) -> Self {
        self.answering(Answer::Document(Box::new(move |s| s.answer::<T>(kind))))
    }

    pub(crate) fn list<T: JsonSchema + 'static>(self, kind: &'static str) -> Self {
        self.answering(Answer::Document(Box::new(move |s| s.list::<T>(kind))))
    }

    pub(crate) fn text(self, kind: &'static str) -> Self {
        self.answering(Answer::Text(kind))
    }

    pub(crate) fn stream<T: JsonSchema + 'static>(self, kinds: &'static [&'static str]) -> Self {
        self.answering(Answer::Stream(kinds, Box::new(Schemas::sent::<T>)))
    }

    fn answering(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }

    pub(crate) fn action(&self) -> Option<Action> {
        self.action
    }

    pub(crate) fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn summary(&self) -> &str {
        &self.summary
    }

    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }

    pub(super) fn path(&self, pattern: &str) -> String {
        self.command.as_ref().map_or_else(|| pattern.to_owned(), |action| pattern.replace("{action}", action))
    }

    pub(super) fn request(&self, schemas: &mut Schemas) -> Option<Value> {
        self.body.as_ref().map(|body| body(schemas))
    }

    /// Of the path, of the query, of the headers.
    pub(super) fn parameters(&self, schemas: &mut Schemas, path: &str) -> Vec<Value> {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let of_path = names.map(|name| {
            let kind = if name == "n" { "integer" } else { "string" };
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } })
        });
        let query = self.query.as_ref().map(|q| q(schemas)).unwrap_or_default();
        let fields = query["properties"].as_object().cloned().unwrap_or_else(Map::new);
        let of_query = fields.into_iter().map(|(name, mut schema)| {
            let description =
                schema.as_object_mut().and_then(|s| s.remove("description")).unwrap_or_default();
            json!({ "name": name, "in": "query", "description": description, "schema": schema })
        });
        let key = self.keyed.then(|| {
            let description = "The same key twice is the same request.";
            let schema = json!({ "type": "string", "maxLength": 255 });
            json!({ "name": "Idempotency-Key", "in": "header", "description": description, "schema": schema })
        });
        of_path.chain(of_query).chain(key).collect()
    }
}
