//! What group commit saves: the same publishers against one commit per envelope.
//!
//! `cargo bench -p trunkline-bus`; compare `shared_commit` with `own_commit` of one run.

#![allow(clippy::expect_used, missing_docs, reason = "a bench fails by panicking; its entry point is generated")]

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use jiff::Timestamp;
use trunkline_bus::{Bus, EmbeddedBus, EmbeddedOptions, Subject};
use trunkline_core::Envelope;

const PUBLISHERS: usize = 64;

fn publish(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let mut group = c.benchmark_group("publish_64_at_once");
    group.throughput(Throughput::Elements(PUBLISHERS as u64)).sample_size(20);
    for (name, max_batch) in [("shared_commit", 512), ("own_commit", 1)] {
        let folder = tempfile::tempdir().expect("folder");
        let options = EmbeddedOptions { max_batch, ..EmbeddedOptions::new(folder.path().join("bus.db")) };
        let bus: Arc<dyn Bus> = Arc::new(EmbeddedBus::open(&options).expect("bus"));
        let subject = Subject::parse("internal.ingress.v1").expect("subject");
        let mut round = 0_u64;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                round += 1;
                runtime.block_on(join_all((0..PUBLISHERS).map(|number| {
                    let (bus, subject) = (Arc::clone(&bus), subject.clone());
                    let id = format!("{round}-{number}");
                    let text = "x".repeat(300);
                    let envelope = Envelope::new(id, "bench", "message.received.v1", "c", Timestamp::UNIX_EPOCH, &text)
                        .expect("envelope");
                    async move { bus.publish(&subject, &envelope).await.expect("published") }
                })));
            });
        });
        runtime.block_on(bus.close());
    }
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
