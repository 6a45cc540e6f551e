//! What only calls carry: several arguments together, answers that are no document, items of streams.

use crate::api::{Caller, Command, NodeCommand, Problem, SubmitRequest};
use crate::peer::Order;
use ikigai_types::{AttemptId, Commit, Fence, NodeId, ProjectId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An order for an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Direct {
    /// The lease it runs under.
    pub fence: Fence,
    /// What to do.
    pub order: Order,
}

/// Git objects that are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackOf {
    /// The project.
    pub project: ProjectId,
    /// With everything it reaches.
    pub want: Commit,
    /// Without what these reach.
    #[serde(default)]
    pub have: Vec<Commit>,
}

/// A task by what somebody calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// A whole id, or its short form.
    pub task: String,
}

/// A task, and what to do to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instruct {
    /// The task.
    pub task: TaskId,
    /// What to do.
    pub command: Command,
}

/// A submission that a node passes on for one of its users. With a wish that is not understood it is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Map<String, Value>")]
pub struct Submission {
    /// What is submitted.
    #[serde(flatten)]
    pub request: SubmitRequest,
    /// Name of the user, as that node knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

// === impl Submission ===

impl TryFrom<Map<String, Value>> for Submission {
    type Error = serde_json::Error;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let by = fields.remove("by").map(serde_json::from_value).transpose()?;
        Ok(Self { request: serde_json::from_value(Value::Object(fields))?, by })
    }
}

impl Submission {
    /// What is passed on.
    pub fn of(mut request: SubmitRequest) -> Self {
        let by = request.by.take().map(|c| c.user);
        Self { request, by }
    }

    /// The request as the node `from` passed it on.
    pub fn from_node(self, from: NodeId) -> SubmitRequest {
        let by = self.by.map(|user| Caller { user, via: Some(from) });
        SubmitRequest { by, ..self.request }
    }
}

/// A node, and what to do to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Steer {
    /// The node.
    pub node: NodeId,
    /// What to do.
    pub command: NodeCommand,
}

/// Lines of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogsFrom {
    /// The attempt.
    pub attempt: AttemptId,
    /// The first number.
    #[serde(default)]
    pub from: u64,
    /// Goes on until the attempt has ended.
    #[serde(default)]
    pub follow: bool,
}

/// A place in the event log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cursor {
    /// `<log epoch>.<sequence>`; `None`: the beginning.
    pub cursor: Option<String>,
}

/// Text that is an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Text {
    /// The text.
    pub text: String,
}

/// Nothing to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// One item of a stream. One that has neither comes from a newer version, and is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item<T> {
    /// What streams.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub entry: Option<T>,
    /// What went wrong; the stream may go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

// === impl Item ===

impl<T> Item<T> {
    /// What a handle's stream gave, as it is sent.
    pub fn of(item: Result<T, Problem>) -> Self {
        match item {
            Ok(entry) => Self { entry: Some(entry), problem: None },
            Err(problem) => Self { entry: None, problem: Some(problem) },
        }
    }

    /// What was sent, as a handle's stream gives it.
    pub fn into_result(self) -> Option<Result<T, Problem>> {
        self.problem.map(Err).or(self.entry.map(Ok))
    }
}
