//! `ikigai api check`

use crate::env::Env;
use crate::output::Show;
use crate::run::{DIFFERS, Outcome};
use clap::{Args, Subcommand};
use ikigai_types::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The HTTP API
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai api check")]
pub(crate) enum Api {
    Check(Check),
}

/// Whether a node speaks the API that this program was built with
#[derive(Debug, Args)]
#[command(
    after_help = "Compares the node's /openapi.json with this program's own, operation by operation and schema by schema.\n\
    Exits 0 when they are the same, 9 when they differ.\n\n\
    Example:\n  ikigai api check\n  ikigai --context box api check --json"
)]
pub(crate) struct Check {}

/// One operation or schema that is not the same on both sides.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    what: String,
    how: &'static str,
}

impl Api {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let Self::Check(check) = self;
        check.run(env).await
    }
}

impl Check {
    async fn run(self, env: &Env) -> Outcome {
        let (own, theirs) = (ikigai_http::openapi::document(), env.remote()?.openapi().await?);
        let found = differences(&own, &theirs);
        let (same, counts) = (found.is_empty(), (operations(&own).len(), schemas(&own).len()));
        if !same || env.out.format != crate::output::Format::Table {
            env.out.list(found, env.now())?;
        }
        if same {
            env.out.say(&format!("the same: {} operations, {} schemas", counts.0, counts.1));
        }
        Ok(if same { 0 } else { DIFFERS })
    }
}

fn differences(own: &Value, theirs: &Value) -> Vec<Difference> {
    let of = |own: &Map<String, Value>, theirs: &Map<String, Value>| {
        let names: BTreeSet<&String> = own.keys().chain(theirs.keys()).collect();
        let how = |name: &String| match (own.get(name), theirs.get(name)) {
            (Some(_), None) => Some("the node has it not"),
            (None, _) => Some("only the node has it"),
            (own, theirs) => (own != theirs).then_some("is another one"),
        };
        let found = names.into_iter().filter_map(|n| Some(Difference { what: n.clone(), how: how(n)? }));
        found.collect::<Vec<_>>()
    };
    let mut all = of(&operations(own), &operations(theirs));
    all.extend(of(&schemas(own), &schemas(theirs)));
    all
}

/// Every operation by method and path.
fn operations(document: &Value) -> Map<String, Value> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let methods = paths.flat_map(|(path, item)| {
        let item = item.as_object().into_iter().flatten();
        item.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation.clone()))
    });
    methods.collect()
}

/// Every schema by name.
fn schemas(document: &Value) -> Map<String, Value> {
    document["components"]["schemas"].as_object().cloned().unwrap_or_default()
}

impl Show for Difference {
    const KIND: &'static str = "Difference";

    fn name(&self) -> String {
        self.what.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["WHAT", "HOW"]
    }

    fn row(&self, _: bool, _: Timestamp) -> Vec<String> {
        vec![crate::clean::clean(&self.what).into_owned(), self.how.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_operation_and_schema_that_is_not_the_same_is_named() {
        let own = json!({
            "paths": { "/a": { "get": 1, "post": 2 }, "/b": { "get": 3 } },
            "components": { "schemas": { "Task": { "type": "object" } } },
        });
        let theirs = json!({
            "paths": { "/a": { "get": 1, "post": 9 }, "/c": { "get": 3 } },
            "components": { "schemas": { "Task": { "type": "object" }, "Node": {} } },
        });
        let named = |what: &str, how| Difference { what: what.to_owned(), how };
        assert_eq!(
            differences(&own, &theirs),
            [
                named("GET /b", "the node has it not"),
                named("GET /c", "only the node has it"),
                named("POST /a", "is another one"),
                named("Node", "only the node has it"),
            ]
        );
        assert!(differences(&own, &own).is_empty());
        assert_eq!(differences(&json!("nonsense"), &json!(null)), []);
    }
}
