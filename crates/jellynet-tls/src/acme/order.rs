//! One order, from the names to the certificate.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use zeroize::Zeroizing;

use super::attempt::Tell;
use super::challenge::{self, Board, Proof};
use super::{AcmeConfig, AcmeError, AcmeEvent, AcmeKey, AcmeStep};

/// Authorities look from several places, one after another.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(180));

/// Gets a certificate; key and chain as one PEM text.
pub(super) async fn obtain(
    config: &AcmeConfig,
    account: &Account,
    board: &Board,
    replaces: Option<CertificateIdentifier<'_>>,
    tell: Tell<'_>,
) -> Result<Zeroizing<Vec<u8>>, AcmeError> {
    let mut order = place(config, account, replaces).await?;
    let mut proofs = Vec::new();
    let result = fulfil(config, board, &mut order, &mut proofs, tell).await;
    for proof in proofs {
        board.clear(proof).await;
    }
    result
}

async fn place(
    config: &AcmeConfig,
    account: &Account,
    replaces: Option<CertificateIdentifier<'_>>,
) -> Result<Order, AcmeError> {
    let identifier = |name: &String| match name.parse() {
        Ok(address) => Identifier::Ip(address),
        Err(_) => Identifier::Dns(name.clone()),
    };
    let identifiers: Vec<Identifier> = config.names.iter().map(identifier).collect();
    let wanted = || match &config.profile {
        Some(profile) => NewOrder::new(&identifiers).profile(profile),
        None => NewOrder::new(&identifiers),
    };
    offers_profile(config, account)?;
    if let Some(replaces) = replaces {
        match account.new_order(&wanted().replaces(replaces)).await {
            Err(error) if is_about_replacing(&error) => {}
            result => return Ok(result?),
        }
    }
    Ok(account.new_order(&wanted()).await?)
}

/// An authority that lists its profiles would refuse another, with less to say.
fn offers_profile(config: &AcmeConfig, account: &Account) -> Result<(), AcmeError> {
    let Some(profile) = &config.profile else {
        return Ok(());
    };
    let mut offered: Vec<&str> = account.profiles().map(|one| one.name).collect();
    if offered.contains(&profile.as_str()) {
        return Ok(());
    }
    offered.sort_unstable();
    Err(AcmeError::Profile { profile: profile.clone(), offered: offered.join(", ") })
}

/// An authority without RFC 9773, or one that knows the certificate as replaced, or not at all
/// (§ 5): that must not stop an order.
fn is_about_replacing(error: &instant_acme::Error) -> bool {
    match error {
        instant_acme::Error::Unsupported(_) | instant_acme::Error::Other(_) => true,
        instant_acme::Error::Api(problem) => problem.r#type.as_deref().is_some_and(|kind| {
            ["alreadyReplaced", "malformed", "unauthorized"].iter().any(|one| kind.ends_with(one))
        }),
        _ => false,
    }
}

async fn fulfil(
    config: &AcmeConfig,
    board: &Board,
    order: &mut Order,
    proofs: &mut Vec<Proof>,
    tell: Tell<'_>,
) -> Result<Zeroizing<Vec<u8>>, AcmeError> {
    prove(config, board, order, proofs, tell).await?;
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready) => {}
        Ok(_) => return Err(refusal(order).await),
        Err(error @ instant_acme::Error::Api(_)) => {
            return Err(match refusal(order).await {
                refused @ AcmeError::Refused { .. } => refused,
                _ => error.into(),
            });
        }
        Err(error) => return Err(error.into()),
    }
    tell(AcmeEvent::Step(AcmeStep::Finalize));
    let key = finalize(config, order).await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Zeroizing::new([key.as_bytes(), b"\n", chain.as_bytes()].concat()))
}

/// Sets up the proof of each name that is not proved yet, and says so.
async fn prove(
    config: &AcmeConfig,
    board: &Board,
    order: &mut Order,
    proofs: &mut Vec<Proof>,
    tell: Tell<'_>,
) -> Result<(), AcmeError> {
    let (kind, kind_name) = challenge::kind(&config.challenge);
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let shown = authorization.identifier().to_string();
        let name = shown.trim_start_matches("*.").to_owned();
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => {
                let reason = format!("its authorization is {status:?}").to_lowercase();
                return Err(AcmeError::Refused { name, reason });
            }
        }
        let Some(mut challenge) = authorization.challenge(kind.clone()) else {
            return Err(AcmeError::NotOffered { challenge: kind_name, name });
        };
        let token = challenge.token.clone();
        let answer = challenge.key_authorization();
        proofs.push(board.put(&config.challenge, &name, &token, &answer).await?);
        tell(AcmeEvent::Step(AcmeStep::Prove { name, challenge: kind_name }));
        challenge.set_ready().await?;
    }
    Ok(())
}

/// Hands in a new key with all names, and gives the key as PEM.
async fn finalize(config: &AcmeConfig, order: &mut Order) -> Result<Zeroizing<String>, AcmeError> {
    let failed = |error: rcgen::Error| AcmeError::Key { reason: error.to_string() };
    let algorithm = match config.key {
        AcmeKey::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
        AcmeKey::Rsa2048 => &PKCS_RSA_SHA256,
    };
    let key = KeyPair::generate_for(algorithm).map_err(failed)?;
    let mut params = CertificateParams::new(config.names.clone()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(failed)?;
    order.finalize_csr(request.der()).await?;
    Ok(Zeroizing::new(key.serialize_pem()))
}

/// Why the order failed: the problem of the first challenge that has one.
async fn refusal(order: &mut Order) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            break;
        }
        let problem = authorization.challenges.iter().find_map(|one| one.error.as_ref());
        if let Some(problem) = problem {
            let name = authorization.identifier().to_string();
            return AcmeError::Refused { name, reason: problem.to_string() };
        }
    }
    AcmeError::Authority { reason: "the order became invalid".to_owned(), transient: false }
}
