//! How tasks work: plain data, the same for the application and the test driver.

use crate::processor::ErrorSettings;
use crate::state::Changelog;

/// Settings of an application's tasks.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    /// What changelogs get where the topology does not say.
    pub changelog: Changelog,
    /// What becomes of records that cannot be read, processed or written.
    pub errors: ErrorSettings,
}

impl Default for TaskSettings {
    /// An application's: changelogs get the last value of a row per commit, and a record that fails fails its task.
    fn default() -> Self {
        TaskSettings { changelog: Changelog::LastPerCommit, errors: ErrorSettings::default() }
    }
}
