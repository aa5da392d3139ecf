//! Clients that speak HTTP/2.

use std::process::Command;

use jellynet_test::peer::{self, Program};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{Gateway, answering, read_head, upstream};

async fn curl(program: &Program, gateway: &Gateway, arguments: &'static [&'static str]) -> String {
    let program = program.clone();
    let url = format!("http://{}/x", gateway.address);
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(program.path());
        command.args(["-si", "--http2-prior-knowledge", "--max-time", "20"]);
        command.args(arguments).arg(url).output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_a_body_gets_its_answer_whatever_becomes_of_the_body() {
    let Some(program) = peer::find("curl") else {
        return;
    };
    let gone = answering(b"", true).await;
    for _ in 0..20 {
        let gateway = Gateway::to(gone).await;
        let got = curl(&program, &gateway, &["-d", "x"]).await;
        assert!(got.starts_with("HTTP/2 502"), "{got}");
    }
    let refuses = upstream(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno";
        stream.write_all(answer).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for _ in 0..20 {
        let gateway = Gateway::to(refuses).await;
        let got = curl(&program, &gateway, &["-d", "x"]).await;
        assert!(got.starts_with("HTTP/2 413") && got.ends_with("no"), "{got}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_and_cookies_are_those_of_http_1() {
    let Some(program) = peer::find("curl") else {
        return;
    };
    let address = upstream(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(address).await;
    let arguments = &["-H", "Host: tv.lan", "-H", "Cookie: a=b; c=d", "-H", "Accept:", "-A", "me"];
    let got = curl(&program, &gateway, arguments).await;
    let head = got.split_once("\r\n\r\n").unwrap().1;
    let expected = "GET /x HTTP/1.1\r\nhost: tv.lan\r\nuser-agent: me\r\ncookie: a=b; c=d\r\n\
                    x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\n\
                    x-forwarded-host: tv.lan\r\n\r\n";
    assert_eq!(head, expected);
}
