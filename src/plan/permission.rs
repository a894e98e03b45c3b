//! What a Kafka cluster must allow an application, where it keeps lists of who may do what.

use std::fmt;

/// What operations are allowed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource {
    /// Topics.
    Topic,
    /// The application's group.
    Group,
    /// What the application's producers call themselves.
    TransactionalId,
}

/// Operations on one resource, or on all whose names begin so. `Display` gives it as arguments of Kafka's own tool, to which
/// `--add` and a principal come.
///
/// ```
/// use tidemill::plan::{Permission, Resource};
///
/// let permission =
///     Permission { resource: Resource::Group, name: "bank".into(), is_prefix: false, operations: vec!["Read"] };
/// assert_eq!(permission.to_string(), "--group bank --operation Read");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What is allowed on.
    pub resource: Resource,
    /// Its name, or how names begin.
    pub name: String,
    /// Whether the name is the beginning of many.
    pub is_prefix: bool,
    /// The operations, by their names in Kafka.
    pub operations: Vec<&'static str>,
}

impl Permission {
    pub(super) fn on(resource: Resource, name: &str, operations: &[&'static str]) -> Self {
        Permission { resource, name: name.to_owned(), is_prefix: false, operations: operations.to_vec() }
    }

    pub(super) fn on_all(resource: Resource, prefix: String, operations: &[&'static str]) -> Self {
        Permission { resource, name: prefix, is_prefix: true, operations: operations.to_vec() }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = match self.resource {
            Resource::Topic => "--topic",
            Resource::Group => "--group",
            Resource::TransactionalId => "--transactional-id",
        };
        write!(f, "{option} {}", self.name)?;
        if self.is_prefix {
            f.write_str(" --resource-pattern-type prefixed")?;
        }
        self.operations.iter().try_for_each(|operation| write!(f, " --operation {operation}"))
    }
}
