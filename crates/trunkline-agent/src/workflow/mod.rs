//! Workflows: what happens when something happens.
//!
//! A [`Workflow`] is a graph without circles, read from TOML ([`Workflow::parse`]) or built in Rust ([`Builder`]), and
//! validated as a whole: every problem is told at once, with its line and column. What runs it is elsewhere; what may run
//! next is decided here by [`plan`], a function of the states of the steps and of nothing else. Nothing in this module
//! knows a store, a provider or a clock.

mod builder;
mod definition;
mod draft;
mod event;
mod expression;
mod fields;
mod kinds;
mod plan;
mod problem;
mod read;
mod reference;
mod schedule;

pub use builder::{Builder, NodeBuilder};
pub use definition::{
    Awaited, Branch, Join, Kind, MAX_NAME_BYTES, MAX_NODES, MAX_SOURCE_BYTES, MAX_TIME, MAX_TRIGGERS, METHODS, Need,
    Node, Retry, Structure, Trigger, Workflow,
};
pub use event::{EVENTS, EventType, event_of_fact, event_type};
pub use expression::{Expression, ExpressionError, MAX_EXPRESSION_BYTES, MAX_VALUE_BYTES, Scope, Template};
pub use plan::{Outcome, Plan, StepState, StepStatus, plan};
pub use problem::{InvalidWorkflow, Problem};
pub use schedule::{SHORTEST_EVERY, Schedule};

#[cfg(test)]
mod tests;
