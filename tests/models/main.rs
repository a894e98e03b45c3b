//! Windows and joins against slow, obvious models, over random input that is out of order; a restored task against the one
//! that went on; and several partitions against one.

#[path = "../common/tasks.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod tasks;

mod input;
mod partitions;
mod restored;
mod stream_joins;
mod table_joins;
mod windows;
