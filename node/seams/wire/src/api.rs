//! The public documents of `ikigai.dev/v1`, shared by HTTP, the command line and embedders.
//!
//! Every document carries `apiVersion` and `kind` when it stands alone ([`Document`]); fields are only added.

mod access;
mod audit;
mod cost;
mod event;
mod mesh;
mod notice;
mod patch;
mod problem;
mod request;
mod seed;
mod session;
mod share;
mod view;

pub use access::{PassView, ShareRequest, TokenRequest, UserChange, UserRequest, UserView};
pub use audit::{AuditCheck, AuditEntry};
pub use cost::{CostBy, CostGroup, CostView, InvalidCostBy, is_of};
pub use event::{Event, LogEntry};
pub use mesh::{InvitationView, InviteRequest, JoinRequest, JoinView, MemberView, MeshView};
pub use notice::ChannelView;
pub use patch::{CheckView, Evidence, NoteView, PatchView, RevisionView};
pub use problem::{Code, Problem};
pub use request::{
    Caller, Command, DisconnectOptions, Filter, NodeCommand, SubmitRequest, SubmitSource, TaskOptions,
};
pub use seed::{CapacityView, EvictRequest, HealthView, PatchItem, PodView};
pub use session::{LoginLink, LoginRequest, LoginReturn, LoginStart, LoginWays, SessionView};
pub use share::{SharedAttempt, SharedPatch, SharedTask};
pub use view::{
    AttemptView, ContinuesView, Document, EdgeView, List, NodeView, OpenView, PlacementView, PlanView,
    PlannedTask, ProjectView, Snapshot, SubmitView, TaskView, WhyView,
};

/// The version every document names.
pub const API_VERSION: &str = "ikigai.dev/v1";
