//! The gateway with a tool of one's own, a function in Rust: where an order is.
//!
//! Everything else is configured as it is for `trunkline serve`: an agent that asks a model (`TRUNKLINE_AGENT=chat`,
//! `TRUNKLINE_MODEL=…`) has the tool at once. It runs until SIGINT.
//!
//! ```text
//! TWILIO_ACCOUNT_SID=AC… TWILIO_AUTH_TOKEN=… TWILIO_IDENTITY=… TWILIO_WEBHOOK_URL=https://… \
//!     TRUNKLINE_AGENT=chat TRUNKLINE_MODEL=gpt-4o-mini OPENAI_API_KEY=… \
//!     cargo run -p trunkline --example order_status
//! ```
#![expect(clippy::print_stdout, reason = "a program that is read more than it is run")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use trunkline::config::{Reader, Settings};
use trunkline::telemetry::Telemetry;
use trunkline::{Extensions, Gateway, Server};
use trunkline_agent::tools::{FunctionTool, Tool, ToolError, ToolOutput};

/// What the model gives the tool; the comments are what it is told of it.
#[derive(Deserialize, JsonSchema)]
struct Order {
    /// The number on the receipt.
    number: u32,
}

fn order_status() -> Arc<dyn Tool> {
    let description = "Where an order is, by the number on the receipt.";
    Arc::new(FunctionTool::new("order_status", description, |order: Order, _| async move {
        // A shop asks its database here.
        match order.number {
            7 => Ok(ToolOutput::text("order 7 is on its way")),
            8 => Ok(ToolOutput::text("order 8 is waiting in the shop")),
            _ => Err(ToolError::Failed("there is no such order".to_owned())),
        }
    }))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::from_process();
    let file = Path::new("trunkline.toml");
    if file.exists() {
        reader = reader.with_file(&std::fs::read_to_string(file)?)?.with_file_path(file.to_owned());
    }
    let settings = Settings::load(&reader)?;
    // Outside of a runtime: what it exports, it exports with one of its own.
    let telemetry = Telemetry::new(&settings.telemetry)?;
    telemetry.install_logs(&settings.telemetry);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::bind(settings.listen).await?;
        let extensions = Extensions::new().tool(order_status());
        let gateway = Gateway::start_with(settings, server, &telemetry, extensions).await?;
        println!("gateway   http://{}", gateway.address());
        tokio::signal::ctrl_c().await?;
        gateway.stop().await;
        Ok::<_, Box<dyn Error>>(())
    })?;
    telemetry.shutdown();
    Ok(())
}
