//! What the driver must do.

use ikigai_types::NodeId;

/// What the driver must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Carry `frame` to `to`, dialling it if there is no link; may fail or be dropped, the machine copes.
    Send {
        /// An enrolled node, never this one.
        to: NodeId,
        /// At most 1,200 bytes, or one record of at most [`crate::frame::FRAME_MAX`].
        frame: Vec<u8>,
    },
    /// The liveness or the advertisement of this node is another than before, or it is no member any more.
    Changed(NodeId),
    /// Keep this number on disk: the next life begins with it in [`crate::Me::incarnation`].
    PersistIncarnation(u64),
}
