//! When windowed aggregations say something.

/// When a windowed aggregation says something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmitStrategy {
    /// At every update of a window.
    #[default]
    OnUpdate,
    /// Once for each window, when it is closed.
    OnWindowClose,
}
