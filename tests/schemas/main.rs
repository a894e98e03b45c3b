//! Schemas of an application: on a topic of its log, in its topics and stores, and as a view (features `avro` and `http`).

mod application;
mod registry;
mod view;
