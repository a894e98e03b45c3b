//! How tasks work: plain data, the same for the application and the test driver.

use crate::state::Changelog;

/// Settings of an application's tasks.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    /// What changelogs get where the topology does not say.
    pub changelog: Changelog,
}

impl Default for TaskSettings {
    /// An application's: changelogs get the last value of a row per commit.
    fn default() -> Self {
        TaskSettings { changelog: Changelog::LastPerCommit }
    }
}
