//! One provider: browsers are sent there with a journey of their own, and whoever comes back is who it says.

use crate::fetch::{Fetch, is_safe};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ikigai_ports::identity::{Identity, Journey};
use ikigai_ports::signer::Secret;
use ikigai_ports::{Clock, IdentityProvider, PortError, PortResult, Secrets};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdTokenClaims, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

/// How long the provider's document and keys are good for without being read again.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// Log-ins that are talked about with the provider at once.
const PLACES: usize = 8;
/// What a token may be signed with: a key whose other half only the provider has.
const SIGNED: [CoreJwsSigningAlgorithm; 6] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Where the provider is, and what this node is to it.
#[derive(Clone)]
pub struct OidcOptions {
    /// What people call it.
    pub name: String,
    /// Its address, exactly as its tokens say it.
    pub issuer: String,
    /// What it calls this node.
    pub client_id: String,
    /// Where the client's secret is, and what it is called there; `None` for a client without one.
    pub secret: Option<(Arc<dyn Secrets>, String)>,
    /// Where it sends browsers back to.
    pub redirect: String,
}

/// The provider.
pub struct OidcProvider {
    options: OidcOptions,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    fetch: Fetch,
    clock: Arc<dyn Clock>,
    places: Semaphore,
    known: Mutex<Option<(ikigai_types::Timestamp, CoreProviderMetadata)>>,
}

type Ready = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl OidcProvider {
    /// Prepares the provider; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`PortError::Refused`] when an address cannot be used, [`PortError::Failed`] when this machine has no
    /// certificate authorities.
    pub fn new(options: OidcOptions, clock: Arc<dyn Clock>) -> PortResult<Self> {
        let refused =
            |what: &str, text: &str| PortError::Refused(format!("oidc.{what}: `{text}` cannot be used"));
        for (what, text) in [("issuer", &options.issuer), ("redirect", &options.redirect)] {
            if !text.parse().is_ok_and(|uri| is_safe(&uri)) {
                return Err(refused(what, text));
            }
        }
        let issuer =
            IssuerUrl::new(options.issuer.clone()).map_err(|_| refused("issuer", &options.issuer))?;
        let redirect =
            RedirectUrl::new(options.redirect.clone()).map_err(|_| refused("redirect", &options.redirect))?;
        Ok(Self {
            options,
            issuer,
            redirect,
            fetch: Fetch::new()?,
            clock,
            places: Semaphore::new(PLACES),
            known: Mutex::default(),
        })
    }

    /// One of the few requests at a time: anybody may begin a log-in, and nobody else is to be kept waiting for it.
    fn place(&self) -> PortResult<SemaphorePermit<'_>> {
        self.places.try_acquire().map_err(|e| self.away(e))
    }

    /// The provider as a client, by a document that is not old.
    async fn client(&self) -> PortResult<Ready> {
        let document = self.document().await?;
        let secret = match &self.options.secret {
            Some((secrets, name)) => {
                let host = self.issuer.url().host_str().unwrap_or_default().to_owned();
                Some(ClientSecret::new(secrets.resolve(name, &host).await?.expose().to_owned()))
            }
            None => None,
        };
        let id = ClientId::new(self.options.client_id.clone());
        Ok(CoreClient::from_provider_metadata(document, id, secret).set_redirect_uri(self.redirect.clone()))
    }

    async fn document(&self) -> PortResult<CoreProviderMetadata> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if let Some((read, document)) = &*known
            && now < read.after(FRESH)
        {
            return Ok(document.clone());
        }
        let read = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.fetch).await;
        let document = read.map_err(|e| self.away(e))?;
        *known = Some((now, document.clone()));
        Ok(document)
    }

    /// The e-mail address, when it was verified: a token has it where it was asked to, the provider's page for it else.
    async fn email(
        &self,
        client: &Ready,
        claims: &CoreIdTokenClaims,
        answer: &CoreTokenResponse,
    ) -> Option<String> {
        let (email, verified) = match claims.email() {
            Some(email) => (email.to_string(), claims.email_verified()),
            None => {
                let subject = claims.subject().clone();
                let asked = client.user_info(answer.access_token().clone(), Some(subject)).ok()?;
                let more: CoreUserInfoClaims = asked.request_async(&self.fetch).await.ok()?;
                (more.email()?.to_string(), more.email_verified())
            }
        };
        (verified == Some(true)).then_some(email)
    }

    fn away(&self, source: impl Into<ikigai_ports::error::Source>) -> PortError {
        PortError::unavailable(format!("the identity provider {}", self.options.issuer), source)
    }
}

// === impl IdentityProvider ===

#[async_trait]
impl IdentityProvider for OidcProvider {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn begin(&self) -> PortResult<Journey> {
        let _place = self.place()?;
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let asked = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        );
        let (url, state, nonce) =
            asked.add_scope(Scope::new("email".to_owned())).set_pkce_challenge(challenge).url();
        Ok(Journey {
            url: url.to_string(),
            state: state.into_secret(),
            nonce: Secret::new(nonce.secret()),
            verifier: Secret::new(verifier.into_secret()),
        })
    }

    async fn finish(&self, journey: &Journey, code: &str) -> PortResult<Identity> {
        let refused = |why: String| PortError::Refused(format!("the identity provider's answer: {why}"));
        let _place = self.place()?;
        let client = self.client().await?;
        let asked = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let asked = asked.map_err(|e| refused(e.to_string()))?;
        let verifier = PkceCodeVerifier::new(journey.verifier.expose().to_owned());
        let answer = asked.set_pkce_verifier(verifier).request_async(&self.fetch).await;
        let answer = answer.map_err(|e| match e {
            RequestTokenError::Request(e) => self.away(e),
            e => refused(format!("the code is not taken: {e}")),
        })?;
        let token = answer.id_token().ok_or_else(|| refused("it has no ID token".to_owned()))?;
        let now = self.now();
        let trusted = client.id_token_verifier().set_allowed_algs(SIGNED).set_time_fn(move || now);
        let nonce = Nonce::new(journey.nonce.expose().to_owned());
        let claims = token.claims(&trusted, &nonce).map_err(|e| refused(e.to_string()))?;
        let subject = claims.subject().to_string();
        if !is_subject(&subject) {
            return Err(refused("what it calls them cannot be a name".to_owned()));
        }
        let email = self.email(&client, claims, &answer).await;
        Ok(Identity { subject, email: email.filter(|e| e.contains('@')) })
    }
}

/// Whether a user can be known by it: a name of the provider's own, which is not taken for an address.
fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.starts_with("email:") && !text.contains(char::is_control)
}

impl OidcProvider {
    fn now(&self) -> DateTime<Utc> {
        let millis = i64::try_from(self.clock.now().0).unwrap_or(i64::MAX);
        DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcProvider").field("issuer", &self.options.issuer).finish_non_exhaustive()
    }
}
