//! One tuner, several readers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jellynet_test::peer;
use jellynet_tuner::rx::Gap;
use jellynet_tuner::serve::TunerService;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{Bench, request, wait_until};

#[tokio::test]
async fn readers_share_one_tuner_and_the_last_one_releases_it() {
    let bench = Bench::new(|_| {}, |_| {}).await;
    let wanted = request("v5.1");
    let open = || bench.tuners.open(&bench.device, &wanted);
    // All at once: one opens, the others wait for it.
    let (a, b, c) = tokio::join!(open(), open(), open());
    let mut readers = [a.unwrap(), b.unwrap(), c.unwrap()];
    assert_eq!(readers[0].readers(), 3);
    assert_eq!(bench.tuners.ports().leased().len(), 1);
    for reader in &mut readers {
        assert!(!reader.next().await.unwrap().unwrap().data.is_empty());
    }
    let [a, b, c] = readers;
    drop(a);
    drop(b);
    assert!(bench.sim.tuner(0).unwrap().sending);
    drop(c);
    // Whoever comes while the tuner is being released gets it right after.
    let mut next = open().await.unwrap();
    assert_eq!(next.info().tuner, 0);
    assert!(next.next().await.unwrap().is_ok());
    next.close().await;
    bench.all_free().await;
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_holds_up_nobody() {
    let bench = Bench::new(|_| {}, |c| c.reader_lag = 200_000).await;
    let mut slow = bench.tuners.open(&bench.device, &request("v5.1")).await.unwrap();
    let mut quick = slow.another().unwrap();
    let mut seen = 0;
    while seen < 1_000_000 {
        seen += quick.next().await.unwrap().unwrap().data.len();
    }
    let batch = slow.next().await.unwrap().unwrap();
    assert!(matches!(batch.gap_before, Some(Gap::Lagged { batches }) if batches > 5), "{batch:?}");
    assert!(slow.lagged() > 5);
    assert_eq!(quick.lagged(), 0);
}

/// The service on a port of its own.
async fn serve(service: TunerService) -> (SocketAddr, JoinHandle<Infallible>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    (address, server)
}

#[tokio::test]
async fn four_http_clients_share_one_tuner() {
    let Some(curl) = peer::find("curl") else {
        return;
    };
    let bench = Bench::new(|_| {}, |_| {}).await;
    bench.tuners.remember(bench.device.clone());
    let (address, _server) = serve(TunerService::new(bench.tuners.clone())).await;
    let url = format!("http://{address}/{}/v5.1", bench.device.id);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let mut command = curl.command();
            command.args(["--silent", "--show-error", "--max-time", "3", "--output", "-"]);
            command.args(["--write-out", "%{stderr}%{http_code} %{content_type}\n", &url]);
            command
        })
        .map(|mut command| tokio::task::spawn_blocking(move || command.output().unwrap()))
        .collect();
    wait_until("four readers", || bench.tuners.streams().first().is_some_and(|s| s.2 == 4)).await;
    assert_eq!(bench.tuners.ports().leased().len(), 1);
    for client in clients {
        let output = client.await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("200 video/mp2t"), "{told}");
        assert!(output.stdout.len() > 500_000, "{}", output.stdout.len());
        assert!(output.stdout.chunks_exact(188).all(|packet| packet[0] == 0x47));
    }
    bench.all_free().await;
}

#[tokio::test]
async fn ffprobe_reads_the_stream_as_a_video() {
    let (Some(ffmpeg), Some(ffprobe)) =
        (peer::find_with("ffmpeg", &["-version"]), peer::find_with("ffprobe", &["-version"]))
    else {
        return;
    };
    let picture = video(ffmpeg.command());
    let rate = 400;
    let bench = Bench::new(
        |c| {
            c.transport_stream = Some(picture.into());
            c.packets_per_second = rate;
        },
        |_| {},
    )
    .await;
    bench.tuners.remember(bench.device.clone());
    let (address, _server) = serve(TunerService::new(bench.tuners.clone())).await;
    let mut command = ffprobe.command();
    command.args(["-v", "error", "-show_entries", "format=format_name:stream=codec_name"]);
    command.args(["-of", "default=noprint_wrappers=1", "-probesize", "500000"]);
    command.arg(format!("http://{address}/{}/8vsb%3A183000000", bench.device.id));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("mpeg2video") && text.contains("format_name=mpegts"), "{output:?}");
    bench.all_free().await;
}

/// Two seconds of a test picture as a transport stream.
fn video(mut ffmpeg: Command) -> Vec<u8> {
    ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25:duration=2"]);
    ffmpeg.args(["-c:v", "mpeg2video", "-g", "10", "-b:v", "2M", "-f", "mpegts", "-"]);
    let output = ffmpeg.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn refusals_over_http_say_what_the_device_would() {
    let Some(curl) = peer::find("curl") else {
        return;
    };
    let bench = Bench::new(|_| {}, |_| {}).await;
    bench.tuners.remember(bench.device.clone());
    let (address, _server) = serve(TunerService::new(bench.tuners.clone())).await;
    let ask = |arguments: &[&str], path: String| {
        let mut command = curl.command();
        command.args(["--silent", "--include", "--max-time", "5"]).args(arguments);
        command.arg(format!("http://{address}{path}"));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        async move { String::from_utf8_lossy(&output.await.unwrap().stdout).into_owned() }
    };
    let id = bench.device.id;
    assert!(ask(&["--head"], format!("/{id}/v5.1")).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&["--data", "x"], format!("/{id}/v5.1")).await.starts_with("HTTP/1.1 405"));
    assert!(ask(&[], format!("/{id}")).await.starts_with("HTTP/1.1 404"));
    assert!(ask(&[], format!("/{id}/v5.1?tuner=x")).await.starts_with("HTTP/1.1 400"));
    assert!(ask(&[], format!("/{id}/none")).await.starts_with("HTTP/1.1 404"));
    assert!(ask(&[], "/10.0.0.99/v5.1".into()).await.starts_with("HTTP/1.1 404"));
    assert!(ask(&[], format!("/{id}/v77")).await.contains("x-hdhomerun-error: 801"));
    bench.sim.faults(|f| f.no_signal = true);
    let answer = ask(&[], format!("/{id}/v5.1")).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("806 Tune Failed"), "{answer}");
    bench.sim.faults(|f| {
        f.no_signal = false;
        f.locked_by = "10.0.0.77".parse().ok();
    });
    assert!(ask(&[], format!("/{id}/v5.1")).await.contains("805 All Tuners In Use"));
    assert_eq!(bench.tuners.ports().leased().len(), 0);
}
