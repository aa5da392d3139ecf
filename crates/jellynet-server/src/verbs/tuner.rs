//! `jellynet tuner`: find HDHomeRun tuners, look at them, tune, record, and play one.

use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jellynet_settings::parse_duration;
use jellynet_tuner::control::{Control, ControlOptions};
use jellynet_tuner::discover::{Device, SeekConfig, Target, discover};
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::rx::RxStats;
use jellynet_tuner::sim::{SimConfig, Simulator};
use jellynet_tuner::tune::{OpenError, TuneRequest, TunerStream, Tuners, TunersConfig};
use jellynet_tuner::{Channel, DeviceId, TunerStatus};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, interval, sleep_until};

use crate::failure::Failure;
use crate::verbs::{print, runtime};

#[derive(Debug, Subcommand)]
pub(crate) enum TunerVerb {
    /// Tries one channel number after the other, and prints what has a signal.
    Scan(ScanArgs),
    /// Prints what the tuners of a device are doing.
    Info(DeviceArgs),
    /// Tunes a channel and shows rate, signal and losses, until Ctrl-C.
    Tune(TuneArgs),
    /// Records a channel to a file, and tells what was lost where.
    Capture(CaptureArgs),
    /// Plays an HDHomeRun device, for trying things without one; until Ctrl-C.
    Simulate(SimulateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// The device: its id or its address; without one, the only one that is found.
    #[arg(long, value_name = "ID|ADDRESS")]
    device: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    device: DeviceArgs,
    /// The first channel number.
    #[arg(long, default_value_t = 2)]
    from: u16,
    /// The last channel number.
    #[arg(long, default_value_t = 36)]
    to: u16,
}

#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    #[command(flatten)]
    device: DeviceArgs,
    /// The channel: `v5.1`, `ch183000000`, `ch183000000-3`, `8vsb:183000000`.
    #[arg(value_name = "CHANNEL")]
    channel: Channel,
    /// How long; without it, until Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    #[command(flatten)]
    tune: TuneArgs,
    /// Where to write the MPEG transport stream.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Where the device listens; 0.0.0.0 hears broadcasts.
    #[arg(long, default_value = "0.0.0.0")]
    address: IpAddr,
    /// Its id; the last digit is corrected where it does not fit the others.
    #[arg(long)]
    id: Option<DeviceId>,
    /// How many tuners it has.
    #[arg(long, default_value_t = 2)]
    tuners: u8,
    /// Loses every n-th datagram.
    #[arg(long, value_name = "N")]
    drop_every: Option<u64>,
    /// Knows no RTP.
    #[arg(long)]
    no_rtp: bool,
}

pub(super) fn run(verb: &TunerVerb) -> Result<(), Failure> {
    runtime()?.block_on(async {
        match verb {
            TunerVerb::Scan(args) => scan(args).await,
            TunerVerb::Info(args) => info(args).await,
            TunerVerb::Tune(args) => receive(args, None).await,
            TunerVerb::Capture(args) => receive(&args.tune, Some(&args.file)).await,
            TunerVerb::Simulate(args) => simulate(args).await,
        }
    })
}

/// The device that is named, or the only one there is.
async fn find(args: &DeviceArgs) -> Result<Device, Failure> {
    let target = match &args.device {
        None => Target::All,
        Some(text) => match (text.parse::<IpAddr>(), text.parse::<DeviceId>()) {
            (Ok(address), _) => Target::Host(address),
            (_, Ok(id)) => Target::Device(id),
            (_, Err(error)) => {
                return Err(Failure::runtime(
                    format!("{text:?} is neither an address nor a device id"),
                    error,
                ));
            }
        },
    };
    let found = discover(SeekConfig::new(target)).await;
    let mut found = found.map_err(|error| Failure::runtime("cannot look for tuners", error))?;
    if found.len() > 1 {
        let ids: Vec<_> = found.iter().map(|device| device.id.to_string()).collect();
        return Err(Failure::plain(format!(
            "there are several devices, choose one with --device: {}",
            ids.join(", ")
        )));
    }
    found.pop().ok_or_else(|| {
        Failure::plain("no tuner answers: it must be on this network, or be named by its address with --device")
    })
}

fn tuners() -> Result<Tuners, Failure> {
    let ports = TunerPorts::new(PortPolicy::default())
        .map_err(|error| Failure::runtime("cannot lease ports", error))?;
    Tuners::new(ports, TunersConfig::default())
        .map_err(|error| Failure::runtime("cannot use tuners", error))
}

async fn scan(args: &ScanArgs) -> Result<(), Failure> {
    let device = find(&args.device).await?;
    let report = |step: jellynet_tuner::tune::ScanStep| {
        if step.status.is_locked() {
            print(&format!("{}: {}\n", step.number, signal(&step.status)));
        }
        for program in step.programs {
            let flag = program.flag.map_or(String::new(), |flag| format!(" ({flag})"));
            print(&format!("    {}: {} {}{flag}\n", program.number, program.channel, program.name));
        }
    };
    let done = tuners()?.scan(&device, args.from..=args.to, report).await;
    done.map_err(|error| Failure::runtime("the scan ended", error))
}

fn signal(status: &TunerStatus) -> String {
    format!(
        "{} {}, signal {} %, quality {} %, symbols {} %, {:.1} Mbit/s",
        status.channel,
        status.lock,
        status.signal_strength,
        status.signal_quality,
        status.symbol_quality,
        status.bits_per_second as f64 / 1e6,
    )
}

async fn info(args: &DeviceArgs) -> Result<(), Failure> {
    let device = find(args).await?;
    let address = device.address().ok_or_else(|| Failure::plain("the device has no address"))?;
    let failed = |error| Failure::runtime(format!("cannot ask {address}"), error);
    let mut control = Control::new(address, ControlOptions::default());
    let model = control.get("/sys/model").await.map_err(failed)?;
    print(&format!("device {} ({model}) at {address}, {} tuners\n", device.id, device.tuner_count));
    for tuner in 0..device.tuner_count {
        let status = control.get(&format!("/tuner{tuner}/status")).await.map_err(failed)?;
        let owner = control.get(&format!("/tuner{tuner}/lockkey")).await.map_err(failed)?;
        let status = TunerStatus::parse(&status);
        let what = if status.is_idle() { "idle".to_owned() } else { signal(&status) };
        print(&format!("tuner {tuner}: {what}; locked by {owner}\n"));
    }
    Ok(())
}

async fn receive(args: &TuneArgs, file: Option<&PathBuf>) -> Result<(), Failure> {
    let device = find(&args.device).await?;
    let opened = tuners()?.open(&device, &TuneRequest::new(args.channel.clone())).await;
    let stream = opened.map_err(not_opened)?;
    let info = stream.info();
    print(&format!(
        "device {}, tuner {}, {} to {}\n",
        info.device, info.tuner, info.transport, info.target
    ));
    let mut file = match create(file).await {
        Ok(file) => file,
        Err(failure) => {
            stream.close().await;
            return Err(failure);
        }
    };
    let (stats, ended) = copy(stream, file.as_mut(), args.duration).await;
    print(&account(&stats));
    ended
}

/// After tuning only, so that a recording that cannot begin replaces no file.
async fn create(path: Option<&PathBuf>) -> Result<Option<tokio::fs::File>, Failure> {
    let Some(path) = path else {
        return Ok(None);
    };
    let created = tokio::fs::File::create(path).await;
    created
        .map(Some)
        .map_err(|error| Failure::runtime(format!("cannot write {}", path.display()), error))
}

/// Takes the stream until its end, the time is over, or Ctrl-C; always releases the tuner.
async fn copy(
    mut stream: TunerStream,
    mut file: Option<&mut tokio::fs::File>,
    duration: Option<Duration>,
) -> (RxStats, Result<(), Failure>) {
    let end = Instant::now() + duration.unwrap_or(Duration::from_secs(366 * 86_400));
    let mut tick = interval(Duration::from_secs(1));
    let mut shown = RxStats::default();
    let ended = loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break Ok(()),
            () = sleep_until(end) => break Ok(()),
            _ = tick.tick() => shown = progress(&stream, &shown),
            batch = stream.next() => match batch {
                None => break Ok(()),
                Some(Err(error)) => break Err(Failure::runtime("the stream ended", error)),
                Some(Ok(batch)) => if let Some(file) = &mut file
                    && let Err(error) = file.write_all(&batch.data).await
                {
                    break Err(Failure::runtime("cannot write the recording", error));
                },
            },
        }
    };
    if let Some(file) = file {
        let _ = file.flush().await;
    }
    (stream.close().await, ended)
}

/// A line on a terminal: rate, signal, loss.
fn progress(stream: &TunerStream, before: &RxStats) -> RxStats {
    let stats = stream.stats();
    if std::io::stderr().is_terminal() {
        let rate = (stats.bytes.saturating_sub(before.bytes) * 8) as f64 / 1e6;
        let status = stream.status();
        let _ = write!(
            std::io::stderr(),
            "\r\x1b[K{rate:.1} Mbit/s, signal {} %, lost {}",
            status.signal_strength,
            stats.network_lost() + stats.kernel_dropped.unwrap_or_default(),
        );
    }
    stats
}

fn account(stats: &RxStats) -> String {
    format!(
        "{} packets; lost in the network {}, in this host {}; damaged {}; discontinuities {}\n",
        stats.packets,
        stats.network_lost(),
        stats.kernel_dropped.unwrap_or_default(),
        stats.transport_errors,
        stats.continuity_errors,
    )
}

fn not_opened(error: OpenError) -> Failure {
    let OpenError::DataBlocked(blocked) = &error else {
        return Failure::runtime("cannot tune", error);
    };
    let advice = blocked.advice().into_iter().map(|a| format!("\n  {}: {}", a.when, a.command));
    Failure::plain(format!("cannot tune: {blocked}{}", advice.collect::<String>()))
}

async fn simulate(args: &SimulateArgs) -> Result<(), Failure> {
    let mut config = SimConfig::default();
    config.address = args.address;
    config.tuners = args.tuners;
    config.rtp = !args.no_rtp;
    config.faults.drop_every = args.drop_every;
    if let Some(id) = args.id {
        config.id = id;
    }
    let id = config.id;
    let failed = |error| Failure::runtime("cannot play a device", error);
    let simulator = Simulator::start(config).await.map_err(failed)?;
    print(&format!("device {id} listens at {}; Ctrl-C ends it\n", simulator.address()));
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
