//! Makes a log of a type that holds a ledger.

/// Implements `Log` for a type whose field 0 is a ledger.
macro_rules! log_by_ledger {
    ($log:ty) => {
        impl $crate::log::Log for $log {
            fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
                self.0.create_topic(spec)
            }
            fn check(&self) -> Result<(), LogError> {
                self.0.check()
            }
            fn topic(&self, name: &str) -> Result<Option<TopicSpec>, LogError> {
                self.0.topic(name)
            }
            fn topic_id(&self, name: &str) -> Result<Option<TopicId>, LogError> {
                self.0.topic_id(name)
            }
            fn topics(&self) -> Result<Vec<TopicSpec>, LogError> {
                self.0.topics()
            }
            fn delete_topic(&self, name: &str) -> Result<(), LogError> {
                self.0.delete_topic(name)
            }
            fn delete_records(&self, partition: &TopicPartition, before: Offset) -> Result<(), LogError> {
                self.0.delete_records(partition, before)
            }
            fn complete_from(
                &self,
                partition: &TopicPartition,
                away: ::std::time::Duration,
            ) -> Result<Offset, LogError> {
                self.0.complete_from(partition, away)
            }
            fn clean(&self, now: Timestamp) -> Result<Cleaned, LogError> {
                self.0.clean(now)
            }
            fn bounds(&self, partition: &TopicPartition) -> Result<Bounds, LogError> {
                self.0.bounds(partition)
            }
            fn read(
                &self,
                partition: &TopicPartition,
                from: Offset,
                bytes_max: usize,
            ) -> Result<Vec<Arc<Batch>>, LogError> {
                self.0.read(partition, from, bytes_max)
            }
            fn post(&self, appends: Vec<Append>, scope: &str, notes: Notes) -> Result<$crate::log::Written, LogError> {
                self.0.post(appends, scope, notes)
            }
            fn notes(&self, scope: &str) -> Result<Notes, LogError> {
                self.0.notes(scope)
            }
            fn wake_at_change(&self, waker: &std::task::Waker) {
                self.0.wake_at_change(waker);
            }
            fn applications(&self) -> Result<Vec<String>, LogError> {
                self.0.applications()
            }
            fn progress(&self, application: &str) -> Result<Progress, LogError> {
                self.0.progress(application)
            }
            fn members(&self, application: &str) -> Result<Vec<String>, LogError> {
                self.0.members(application)
            }
            fn set_progress(&self, application: &str, progress: &Progress) -> Result<(), LogError> {
                self.0.set_progress(application, progress)
            }
            fn session(&self, application: &str) -> Result<Box<dyn Session>, LogError> {
                self.0.session(application)
            }
        }
    };
}
pub(in crate::log) use log_by_ledger;
