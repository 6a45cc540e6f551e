//! How often, how long, how many: one value, the same on all nodes of a mesh, or nearly so.

use std::time::Duration;

/// How often, how long, how many. [`Config::default`] suits links of up to 200 ms there and back.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long a neighbour may be silent before it is asked.
    pub probe_every: Duration,
    /// How long a neighbour has to answer before others are asked to ask it.
    pub probe_timeout: Duration,
    /// How long those others have before it is suspected.
    pub relay_timeout: Duration,
    /// How many others are asked.
    pub relays: usize,
    /// How often a suspect is asked again by those who suspect it.
    pub retry_every: Duration,
    /// How long a suspect has to answer if enough of those who watch it suspect it.
    pub suspicion_min: Duration,
    /// How long it has while only one does.
    pub suspicion_max: Duration,
    /// How many further nodes have to suspect for the short time to hold.
    pub confirmations: usize,
    /// How long one that is said to be dead has to contradict before it is believed.
    pub last_word: Duration,
    /// How often one of the nodes believed dead is looked for.
    pub seek_every: Duration,
    /// How often a node repeats its record, give or take a third.
    pub heartbeat: Duration,
    /// How long the announcement of a record waits for a frame to ride on.
    pub lazy_delay: Duration,
    /// The same, for a minute after a loss was noticed.
    pub lazy_delay_lossy: Duration,
    /// Copies of each record a node takes while frames are lost; one otherwise.
    pub copies_lossy: u8,
    /// How long an announced record has to arrive by itself before it is asked for.
    pub graft_after: Duration,
    /// The same, while frames are lost.
    pub graft_after_lossy: Duration,
    /// How long until the next announcer is asked.
    pub graft_retry: Duration,
    /// How often tables are compared with one other node's.
    pub sync_every: Duration,
    /// Rings of the overlay; each gives a node two neighbours. At most 8.
    pub rings: usize,
    /// On so many of them neighbours watch each other.
    pub watch_rings: usize,
}

impl Default for Config {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            probe_every: ms(1_000),
            probe_timeout: ms(250),
            relay_timeout: ms(350),
            relays: 3,
            retry_every: ms(200),
            suspicion_min: ms(600),
            suspicion_max: ms(5_000),
            confirmations: 2,
            last_word: ms(300),
            seek_every: ms(2_000),
            heartbeat: ms(45_000),
            lazy_delay: ms(1_000),
            lazy_delay_lossy: ms(20),
            copies_lossy: 3,
            graft_after: ms(150),
            graft_after_lossy: ms(40),
            graft_retry: ms(200),
            sync_every: ms(30_000),
            rings: 4,
            watch_rings: 2,
        }
    }
}
