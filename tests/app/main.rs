//! Applications as their users see them: sends, queries, states, failures and restarts, on the memory and the embedded log.

#[path = "../common/changed_program.rs"]
mod changed_program;
mod changed_programs;
mod committed_reads;
mod dead_letters;
#[path = "../common/done_by_log.rs"]
mod done_by_log;
mod emission;
mod failures;
#[path = "../common/flaky_session.rs"]
mod flaky_session;
mod globals;
mod housekeeping;
mod identity;
#[cfg(feature = "http")]
mod live_view;
mod local_rows;
mod loops;
mod membership;
mod memory;
mod metrics;
mod offset_resets;
#[cfg(feature = "http")]
mod operations;
mod patterns;
mod pauses;
mod positions;
mod processes;
mod queries;
mod replacing;
mod resets;
mod restarts;
#[cfg(feature = "http")]
mod routing;
mod settings;
mod source_as_changelog;
mod staff;
mod standbys;
mod starts;
mod states;
mod subscriptions;
mod support;
mod threads;
mod timers;
mod times;
mod troubles;
mod versions;
mod watching;
mod window_queries;
mod windows;
