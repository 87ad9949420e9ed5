//! The server that `bench webhooks` puts under load: the gateway's own webhook routes over the bus to be measured.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use trunkline::Server;
use trunkline::config::{Reader, Settings};
use trunkline::edge::{Readiness, Warnings, WebhookEdge, health_routes, webhook_routes};
use trunkline::handlers::{Dispatcher, Handlers};
use trunkline::telemetry::{Observed, Telemetry};
use trunkline_bus::{Bus, EmbeddedBus, EmbeddedOptions};
use trunkline_core::messaging::ConversationalBackend;
use trunkline_twilio::TwilioMessaging;

use super::null_bus::NullBus;
use super::{Mode, TargetArgs};
use crate::cli::failed;
use crate::cli::run::{prepare, runtime, until_signal, with_flag};

pub(super) fn run(args: &TargetArgs) -> ExitCode {
    target(args).unwrap_or_else(|code| code)
}

fn target(args: &TargetArgs) -> Result<ExitCode, ExitCode> {
    let reader = with_flag(Reader::from_process(), "twilio.base_url", Some(args.emulator.clone()));
    let (settings, telemetry) = prepare(&reader)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(args, settings, &telemetry));
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn serve(args: &TargetArgs, settings: Settings, telemetry: &Telemetry) -> Result<(), ExitCode> {
    let server = Server::bind(settings.listen).await.map_err(|error| failed(&error.to_string()))?;
    let mut options = EmbeddedOptions::new(args.data_dir.join("bus.db"));
    let bus: Arc<dyn Bus> = match args.mode {
        Mode::Nothing => Arc::new(NullBus),
        mode => {
            if mode == Mode::Single {
                options.max_batch = 1;
            }
            Arc::new(EmbeddedBus::open(&options).map_err(|error| failed(&error.to_string()))?)
        }
    };
    let mut twilio = settings.twilio.ok_or_else(|| failed("Twilio is switched off"))?;
    twilio.edge.public_base = format!("http://{}", server.address());
    let verifier = TwilioMessaging::new(twilio.backend.clone()).map_err(|error| failed(&error.to_string()))?;
    let verifier = Arc::new(verifier);
    let inner: Arc<dyn ConversationalBackend> = Arc::clone(&verifier) as _;
    let backend = Observed::new(inner, &twilio.account_sid, &telemetry.meter());
    backend.start().await.map_err(|error| failed(&error.to_string()))?;
    let readiness = Readiness::starting();
    readiness.pipeline_started();
    let edge = WebhookEdge {
        backend: Arc::new(backend),
        verifier,
        bus,
        ingress: settings.subjects.ingress,
        settings: twilio,
        readiness: readiness.clone(),
        metrics: telemetry.metrics(),
        handlers: Dispatcher::new(Handlers::new(), telemetry.metrics()),
        warnings: Warnings::default(),
    };
    let router = health_routes(readiness, telemetry.registry()).merge(webhook_routes(Arc::new(edge)));
    let stop = CancellationToken::new();
    tokio::select! {
        () = server.serve(router, stop.clone(), Duration::ZERO) => {}
        () = until_signal() => {}
    }
    Ok(())
}
