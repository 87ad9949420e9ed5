//! Tools that are functions of the program.

use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

/// What a function takes: any type with a schema and a deserializer.
pub trait ToolArguments: DeserializeOwned + JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> ToolArguments for T {}

type Doing = Pin<Box<dyn Future<Output = Result<ToolOutput, ToolError>> + Send>>;

/// A function as a tool. The schema is made from the type of its arguments: their doc comments tell the model what
/// they are.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use trunkline_agent::tools::{FunctionTool, ToolOutput};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Order {
///     /// The number on the receipt.
///     number: u32,
/// }
///
/// let tool = FunctionTool::new("order_status", "Where an order is.", |order: Order, _| async move {
///     Ok(ToolOutput::text(format!("order {} is on its way", order.number)))
/// });
/// ```
pub struct FunctionTool {
    spec: ToolSpec,
    acts: bool,
    work: Box<dyn Fn(Value, ToolContext) -> Doing + Send + Sync>,
}

impl FunctionTool {
    /// A tool that calls `work`.
    pub fn new<A, F, W>(name: impl Into<String>, description: impl Into<String>, work: W) -> Self
    where
        A: ToolArguments,
        F: Future<Output = Result<ToolOutput, ToolError>> + Send + 'static,
        W: Fn(A, ToolContext) -> F + Send + Sync + 'static,
    {
        let mut parameters = schemars::generate::SchemaSettings::draft07().into_generator().into_root_schema_for::<A>();
        parameters.remove("$schema");
        parameters.remove("title");
        let spec = ToolSpec { name: name.into(), description: description.into(), parameters: parameters.to_value() };
        let work = move |arguments: Value, context: ToolContext| match serde_json::from_value::<A>(arguments) {
            Ok(arguments) => Box::pin(work(arguments, context)) as Doing,
            Err(error) => Box::pin(std::future::ready(Err(ToolError::BadArguments(shape_of(&error))))),
        };
        Self { spec, acts: true, work: Box::new(work) }
    }

    /// It only looks: see [`Tool::acts`].
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { acts: false, ..self }
    }
}

/// What is wrong with the arguments, without what they hold.
fn shape_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // `invalid type: string "…", expected u32`: the value is between the colon and the comma.
    match (text.split_once(": "), text.rsplit_once(", expected ")) {
        (Some((kind, _)), Some((_, expected))) => format!("{kind}, expected {expected}"),
        _ => text,
    }
}

#[async_trait]
impl Tool for FunctionTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn acts(&self) -> bool {
        self.acts
    }

    async fn call(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        (self.work)(arguments, context.clone()).await
    }
}
