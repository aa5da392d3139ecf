//! `jellynet tuner`: find HDHomeRun tuners, look at them, tune, record, and play one.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use jellynet_settings::parse_duration;
use jellynet_tuner::control::{Control, ControlOptions};
use jellynet_tuner::discover::{Device, Target, find};
use jellynet_tuner::ports::{PortPolicy, TunerPorts, parse_range};
use jellynet_tuner::sim::{SimConfig, Simulator};
use jellynet_tuner::tune::{
    OpenError, Progress, ScanStep, TuneRequest, TunerStream, Tuners, TunersConfig, record,
};
use jellynet_tuner::{Channel, DeviceId, TunerStatus};
use tokio::fs::File;

use crate::failure::Failure;
use crate::verbs::run::Signals;
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
    device: Option<Target>,
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
    /// The channel: `v5.1`, `ch183000000`, `ch183000000-3`, `8vsb:183000000`, `33`.
    #[arg(value_name = "CHANNEL")]
    channel: Channel,
    /// How long, such as `90s` or `2h`; without it, until Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// The UDP ports to receive on; 61000-61015 suits a firewall.
    #[arg(long, value_name = "FIRST-LAST", default_value = "49152-65535", value_parser = parse_range)]
    ports: RangeInclusive<u16>,
    /// The address that the device shall send to, where it is not this host's own: behind address
    /// translation.
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<IpAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    #[command(flatten)]
    tune: TuneArgs,
    /// Where to write the MPEG transport stream; a file that is there is replaced.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Where the device listens; 0.0.0.0 hears broadcasts.
    #[arg(long, default_value = "0.0.0.0")]
    address: IpAddr,
    /// Its id; the last digit is a checksum of the others.
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

async fn device(args: &DeviceArgs) -> Result<Device, Failure> {
    let found = find(args.device.unwrap_or(Target::All)).await;
    found.map_err(|error| Failure::runtime("no device", error))
}

fn tuners(policy: PortPolicy) -> Result<Tuners, Failure> {
    let ports =
        TunerPorts::new(policy).map_err(|error| Failure::runtime("cannot lease ports", error))?;
    Tuners::new(ports, TunersConfig::default())
        .map_err(|error| Failure::runtime("cannot use tuners", error))
}

/// Does something with tuners until it is done or a signal comes; then `None`. Whatever was locked
/// is given back before the program can end, unless it is the outcome.
async fn interruptible<T>(
    tuners: &Tuners,
    signals: &mut Signals,
    work: impl Future<Output = Result<T, OpenError>>,
) -> Result<Option<T>, Failure> {
    let done = tokio::select! {
        done = work => done.map(Some),
        // Whichever it is: also when the terminal closes, nobody watches any more.
        _ = signals.next() => Ok(None),
    };
    if !matches!(done, Ok(Some(_))) {
        tuners.released().await;
    }
    done.map_err(refused)
}

fn refused(error: OpenError) -> Failure {
    let advice: String = error.advice().iter().map(|advice| format!("\n  {advice}")).collect();
    match advice.as_str() {
        "" => Failure::runtime("cannot tune", error),
        _ => Failure::plain(format!("cannot tune: {}{advice}", crate::failure::chain(&error))),
    }
}

async fn scan(args: &ScanArgs) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let device = device(&args.device).await?;
    let report = |step: ScanStep| {
        if step.status.is_locked() {
            print(&format!("{}: {}\n", step.number, step.status.summary()));
        }
        for program in step.programs {
            let flag = program.flag.map_or(String::new(), |flag| format!(" ({flag})"));
            print(&format!("    {}: {} {}{flag}\n", program.number, program.channel, program.name));
        }
    };
    let tuners = tuners(PortPolicy::default())?;
    let work = tuners.scan(&device, args.from..=args.to, report);
    interruptible(&tuners, &mut signals, work).await.map(drop)
}

async fn info(args: &DeviceArgs) -> Result<(), Failure> {
    let device = device(args).await?;
    let address = device.address().ok_or_else(|| Failure::plain("the device has no address"))?;
    let failed = |error| Failure::runtime(format!("cannot ask {address}"), error);
    let mut control = Control::new(address, ControlOptions::default());
    let model = control.get("/sys/model").await.map_err(failed)?;
    print(&format!("device {} ({model}) at {address}, {} tuners\n", device.id, device.tuner_count));
    for tuner in 0..device.tuner_count {
        let status = control.get(&format!("/tuner{tuner}/status")).await.map_err(failed)?;
        let owner = control.get(&format!("/tuner{tuner}/lockkey")).await.map_err(failed)?;
        let what = TunerStatus::parse(&status).summary();
        print(&format!("tuner {tuner}: {what}; locked by {owner}\n"));
    }
    Ok(())
}

async fn receive(args: &TuneArgs, file: Option<&PathBuf>) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let device = device(&args.device).await?;
    let mut policy = PortPolicy::in_range(args.ports.clone());
    policy.advertise = args.advertise;
    let tuners = tuners(policy)?;
    let request = TuneRequest::new(args.channel.clone());
    let opening = tuners.open(&device, &request);
    let Some(stream) = interruptible(&tuners, &mut signals, opening).await? else {
        return Ok(());
    };
    let info = stream.info();
    let (id, tuner, by, to) = (info.device, info.tuner, info.transport, info.target);
    print(&format!("device {id}, tuner {tuner}, {by} to {to}\n"));
    if let Some(command) = info.granted.advice() {
        let holds = info.granted.holds(19_390_000).as_millis();
        print(&format!("the receive buffer holds only {holds} ms of a mux, more by: {command}\n"));
    }
    let stop = async {
        match args.duration {
            None => {
                signals.next().await;
            }
            Some(duration) => drop(tokio::time::timeout(duration, signals.next()).await),
        }
    };
    match file {
        None => take(stream, &mut tokio::io::sink(), stop).await,
        Some(path) => capture(stream, path, stop).await,
    }
}

/// The file is made after tuning, so that a recording that cannot begin replaces none.
async fn capture(
    stream: TunerStream,
    path: &Path,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let failed = |error| Failure::runtime(format!("cannot write {}", path.display()), error);
    match File::create(path).await {
        Err(error) => {
            stream.close().await;
            Err(failed(error))
        }
        Ok(mut file) => {
            let taken = take(stream, &mut file, stop).await;
            let safe = file.sync_all().await.map_err(failed);
            taken.and(safe)
        }
    }
}

async fn take(
    stream: TunerStream,
    out: &mut (impl tokio::io::AsyncWrite + Unpin),
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let terminal = std::io::stderr().is_terminal();
    let show = |progress: &Progress| {
        if terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K{progress}");
        } else if progress.elapsed.as_secs().is_multiple_of(10) {
            print(&format!("{progress}\n"));
        }
    };
    let (recorded, ended) = record(stream, out, stop, show).await;
    if terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    print(&format!("{recorded}\n"));
    ended.map_err(|error| Failure::runtime("ended early", error))
}

async fn simulate(args: &SimulateArgs) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let mut config = SimConfig::default();
    config.address = args.address;
    config.tuners = args.tuners;
    config.rtp = !args.no_rtp;
    config.faults.drop_every = args.drop_every;
    config.id = args.id.unwrap_or(config.id);
    let id = config.id;
    let failed = |error| Failure::runtime("cannot play a device", error);
    let simulator = Simulator::start(config).await.map_err(failed)?;
    print(&format!("device {id} listens at {}; Ctrl-C ends it\n", simulator.address()));
    let _ = signals.next().await;
    Ok(())
}
