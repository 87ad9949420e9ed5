//! An emulator on its own, until Ctrl-C: `cargo run -p trunkline-emulator --example emulator -- 127.0.0.1:8090`.

use trunkline_emulator::Emulator;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the example says where it listens")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Emulator::builder();
    if let Some(address) = std::env::args().nth(1) {
        builder = builder.listen(address.parse()?);
    }
    if let Some(file) = std::env::args().nth(2) {
        builder = builder.data_file(file);
    }
    let emulator = builder.start().await?;
    println!("{}/phone", emulator.url());
    tokio::signal::ctrl_c().await?;
    emulator.shutdown().await;
    Ok(())
}
