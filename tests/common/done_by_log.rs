//! A log that another one does the work of, but for what a test says itself.

/// The methods of `Log` that the field `log` of a type does, in an `impl Log` for it: all but `session`, `join` and `is_shared`,
/// and `read` if that is said.
macro_rules! done_by_log {
    () => {
        crate::done_by_log::done_by_log!(but read);
        fn read(
            &self,
            partition: &::tidemill::record::TopicPartition,
            from: ::tidemill::record::Offset,
            bytes_max: usize,
        ) -> Result<Vec<::std::sync::Arc<::tidemill::record::Batch>>, ::tidemill::log::LogError> {
            self.log.read(partition, from, bytes_max)
        }
    };
    (but read) => {
        fn create_topic(&self, spec: &::tidemill::log::TopicSpec) -> Result<(), ::tidemill::log::LogError> {
            self.log.create_topic(spec)
        }
        fn check(&self) -> Result<(), ::tidemill::log::LogError> {
            self.log.check()
        }
        fn topic(&self, name: &str) -> Result<Option<::tidemill::log::TopicSpec>, ::tidemill::log::LogError> {
            self.log.topic(name)
        }
        fn topic_id(&self, name: &str) -> Result<Option<::tidemill::log::TopicId>, ::tidemill::log::LogError> {
            self.log.topic_id(name)
        }
        fn topics(&self) -> Result<Vec<::tidemill::log::TopicSpec>, ::tidemill::log::LogError> {
            self.log.topics()
        }
        fn delete_topic(&self, name: &str) -> Result<(), ::tidemill::log::LogError> {
            self.log.delete_topic(name)
        }
        fn bounds(
            &self,
            partition: &::tidemill::record::TopicPartition,
        ) -> Result<::tidemill::log::Bounds, ::tidemill::log::LogError> {
            self.log.bounds(partition)
        }
        fn delete_records(
            &self,
            partition: &::tidemill::record::TopicPartition,
            before: ::tidemill::record::Offset,
        ) -> Result<(), ::tidemill::log::LogError> {
            self.log.delete_records(partition, before)
        }
        fn complete_from(
            &self,
            partition: &::tidemill::record::TopicPartition,
            away: ::std::time::Duration,
        ) -> Result<::tidemill::record::Offset, ::tidemill::log::LogError> {
            self.log.complete_from(partition, away)
        }
        fn clean(
            &self,
            now: ::tidemill::record::Timestamp,
        ) -> Result<::tidemill::log::Cleaned, ::tidemill::log::LogError> {
            self.log.clean(now)
        }
        fn post(
            &self,
            appends: Vec<::tidemill::log::Append>,
            scope: &str,
            notes: ::tidemill::log::Notes,
        ) -> Result<::tidemill::log::Written, ::tidemill::log::LogError> {
            self.log.post(appends, scope, notes)
        }
        fn notes(&self, scope: &str) -> Result<::tidemill::log::Notes, ::tidemill::log::LogError> {
            self.log.notes(scope)
        }
        fn wake_at_change(&self, waker: &::std::task::Waker) {
            self.log.wake_at_change(waker);
        }
        fn applications(&self) -> Result<Vec<String>, ::tidemill::log::LogError> {
            self.log.applications()
        }
        fn progress(&self, application: &str) -> Result<::tidemill::log::Progress, ::tidemill::log::LogError> {
            self.log.progress(application)
        }
        fn members(&self, application: &str) -> Result<Vec<String>, ::tidemill::log::LogError> {
            self.log.members(application)
        }
        fn set_progress(
            &self,
            application: &str,
            progress: &::tidemill::log::Progress,
        ) -> Result<(), ::tidemill::log::LogError> {
            self.log.set_progress(application, progress)
        }
    };
}
pub(crate) use done_by_log;
