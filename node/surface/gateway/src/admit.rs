//! Whether a model call may go on: nothing in it may make the provider reach the network for the agent.
//!
//! A provider can fetch URLs, call remote tools and run code on machines of its own. Each would be a way out
//! of the container that no gate sees. So tools that run at the provider are refused, and so are references
//! it would have to fetch; tools that the agent's own CLI carries out inside the container pass.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Kinds of tools that run where the agent runs.
const LOCAL_TOOLS: [&str; 6] =
    ["function", "custom", "local_shell", "apply_patch", "tool_search", "namespace"];
/// Longest model name.
const MODEL_MAX: usize = 200;

/// What a call that may go on asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The model's name; empty when there is none.
    pub(crate) model: String,
}

/// Why a call may not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It is no request at all.
    #[error("the body is not a JSON object: {0}")]
    Malformed(String),
    /// A tool that runs at the provider.
    #[error("tool of type `{0}` runs at the provider, outside of this sandbox")]
    RemoteTool(String),
    /// A reference the provider would fetch.
    #[error("`{0}` would make the provider reach another address")]
    Reference(&'static str),
    /// An answer nobody would see the end of.
    #[error("a call in the background cannot be metered")]
    Background,
}

impl Refusal {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "send a Responses API request",
            Self::RemoteTool(_) => "turn it off in the agent's settings (codex: web_search = \"disabled\")",
            Self::Reference(_) => "send the content itself, as a data: URL",
            Self::Background => "send it without `background`",
        }
    }
}

/// Decides about a body without keeping any of it but the model's name.
pub(crate) fn admit(body: &[u8]) -> Result<Asked, Refusal> {
    let mut findings = Findings::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let walked =
        Walk { found: &mut findings, place: Place::Top }.deserialize(&mut json).and_then(|()| json.end());
    // What was found before it broke off counts first: it says more.
    match (findings.refusal, walked) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(e)) => Err(Refusal::Malformed(e.to_string())),
        (None, Ok(())) => Ok(Asked { model: findings.model }),
    }
}

#[derive(Debug, Default)]
struct Findings {
    model: String,
    refusal: Option<Refusal>,
}

impl Findings {
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }
}

/// Where in the document the walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Model,
    Background,
    /// A list of tools.
    Tools,
    /// One of them.
    Tool,
    /// The type of one.
    ToolKind,
    /// A value that is a reference when it is a text.
    Fetched(&'static str),
    Reached(&'static str),
    Anywhere,
}

/// Visits a value, keeps nothing.
struct Walk<'f> {
    found: &'f mut Findings,
    place: Place,
}

impl Walk<'_> {
    fn at(&mut self, place: Place) -> Walk<'_> {
        Walk { found: self.found, place }
    }

    /// What a key leads to, from here.
    fn under(&self, key: Key) -> Place {
        match (self.place, key) {
            (Place::Top, Key::Model) => Place::Model,
            (Place::Top, Key::Background) => Place::Background,
            (Place::Tool, Key::Type) => Place::ToolKind,
            (Place::Fetched(name), Key::Url) => Place::Fetched(name),
            (_, Key::Tools) => Place::Tools,
            (_, Key::Fetched(name)) => Place::Fetched(name),
            (_, Key::Reached(name)) => Place::Reached(name),
            _ => Place::Anywhere,
        }
    }

    fn text(&mut self, text: &str) {
        match self.place {
            Place::Model => self.found.model = text.chars().take(MODEL_MAX).collect(),
            Place::ToolKind if !LOCAL_TOOLS.contains(&text) => {
                self.found.refuse(Refusal::RemoteTool(text.chars().take(60).collect()));
            }
            Place::Fetched(name) if !text.trim_start().starts_with("data:") => {
                self.found.refuse(Refusal::Reference(name));
            }
            Place::Reached(name) => self.found.refuse(Refusal::Reference(name)),
            _ => {}
        }
    }
}

// === impl DeserializeSeed and Visitor ===

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.place {
            Place::Top => deserializer.deserialize_map(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Responses API request")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        if self.place == Place::Background && value {
            self.found.refuse(Refusal::Background);
        }
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let place = if self.place == Place::Tools { Place::Tool } else { Place::Anywhere };
        while seq.next_element_seed(self.at(place))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut typed = false;
        while let Some(key) = map.next_key::<Key>()? {
            typed |= key == Key::Type;
            let place = self.under(key);
            map.next_value_seed(self.at(place))?;
        }
        if self.place == Place::Tool && !typed {
            self.found.refuse(Refusal::RemoteTool("none".into()));
        }
        Ok(())
    }
}

/// The keys that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Model,
    Background,
    Tools,
    Type,
    Url,
    Fetched(&'static str),
    Reached(&'static str),
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "model" => Key::Model,
                    "background" => Key::Background,
                    "tools" => Key::Tools,
                    "type" => Key::Type,
                    "url" => Key::Url,
                    "image_url" => Key::Fetched("image_url"),
                    "file_url" => Key::Fetched("file_url"),
                    "server_url" => Key::Reached("server_url"),
                    "connector_id" => Key::Reached("connector_id"),
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_identifier(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expect: Result<&str, Refusal>) {
        assert_eq!(admit(body.as_bytes()).map(|asked| asked.model), expect.map(str::to_owned), "{body}");
    }

    #[test]
    fn what_a_coding_cli_sends_passes() {
        check(
            r#"{"model":"gpt-5.5","stream":true,"background":false,"store":false,
               "input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"see https://x"},
                          {"type":"input_image","image_url":"data:image/png;base64,AAAA"}]},
                        {"type":"function_call","arguments":"{\"server_url\":\"https://x\"}"},
                        {"type":"additional_tools","tools":[{"type":"custom","name":"exec"}]}],
               "tools":[{"type":"function","name":"exec_command","parameters":{"type":"object","properties":
                          {"tools":{"type":"array"},"image_url":{"type":"string"},"server_url":{"type":"string"}},
                          "required":["tools","image_url"]}},
                        {"type":"tool_search"},{"type":"namespace","name":"n","tools":[{"type":"function"}]}]}"#,
            Ok("gpt-5.5"),
        );
        check(r#"{"input":"hello"}"#, Ok(""));
    }

    #[test]
    fn tools_that_run_at_the_provider_are_refused_wherever_they_stand() {
        let remote = |kind: &str| Err(Refusal::RemoteTool(kind.into()));
        check(r#"{"tools":[{"type":"function"},{"type":"web_search"}]}"#, remote("web_search"));
        check(r#"{"tools":[{"server_label":"x","type":"mcp"}]}"#, remote("mcp"));
        check(r#"{"tools":[],"tools":[{"type":"code_interpreter"}]}"#, remote("code_interpreter"));
        check(r#"{"tools":[{"type":"namespace","tools":[{"type":"shell"}]}]}"#, remote("shell"));
        check(
            r#"{"input":[{"type":"additional_tools","tools":[{"type":"web_search"}]}]}"#,
            remote("web_search"),
        );
        check(r#"{"tools":[{"name":"x"}]}"#, remote("none"));
        check(r#"{"\u0074ools":[{"type":"we\u0062_search"}]}"#, remote("web_search"));
    }

    #[test]
    fn what_the_provider_would_fetch_is_refused() {
        let reference = |name| Err(Refusal::Reference(name));
        let image = |url: &str| {
            format!(r#"{{"input":[{{"content":[{{"type":"input_image","image_url":{url}}}]}}]}}"#)
        };
        check(&image(r#""https://evil/?q=secret""#), reference("image_url"));
        check(&image(r#"" HTTP://evil""#), reference("image_url"));
        check(&image(r#"{"url":"https://evil"}"#), reference("image_url"));
        check(r#"{"input":[{"content":[{"file_url":"https://evil"}]}]}"#, reference("file_url"));
        check(r#"{"x":[{"server_url":"https://evil"}]}"#, reference("server_url"));
        check(r#"{"background":true}"#, Err(Refusal::Background));
    }

    #[test]
    fn what_is_no_request_is_malformed() {
        for bad in ["", "[]", "null", "\"x\"", "{", "{}x", "{\"a\":}", &"[".repeat(10_000)] {
            assert!(matches!(admit(bad.as_bytes()), Err(Refusal::Malformed(_))), "{bad}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(matches!(admit(deep.as_bytes()), Err(Refusal::Malformed(_))));
    }
}
