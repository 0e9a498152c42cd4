// tools/parleyd/daemon_xcap.cc - XCAP within the process: its sockets, what it gets from store and files, what it gives
// to shards. See daemon.h.
#include <unistd.h>

#include <utility>

#include "policy/xcap_usages.h"
#include "tools/parleyd/daemon.h"
#include "tools/parleyd/listeners.h"
#include "tools/parleyd/xcap_deferred.h"
#include "tools/parleyd/xcap_history.h"

namespace parley::parleyd {
namespace {

constexpr std::chrono::milliseconds in_effect_limit{2000};  // for all shards to have a change

// As long as they are used, with the configuration that they are of.
std::shared_ptr<const core::Credentials> users_of(const std::shared_ptr<const policy::Config>& config) {
  return {config, &config->sip->users};
}

// `ask`: of what is made when it is asked for.
std::vector<std::unique_ptr<const policy::XcapUsage>> all_usages(const policy::SipConfig& sip, XcapDeferredList::Ask ask) {
  std::vector<std::unique_ptr<const policy::XcapUsage>> usages;
  usages.push_back(std::make_unique<const policy::XcapGroups>());
  usages.push_back(std::make_unique<const policy::XcapAccessRules>());
  usages.push_back(std::make_unique<const policy::XcapSettings>());
  usages.push_back(std::make_unique<const policy::XcapResourceLists>());
  if (sip.im.deferred.on)
    usages.push_back(std::make_unique<const XcapDeferredList>(sip.im.deferred.list_space, ask));
  if (sip.im.history_access.on) usages.push_back(std::make_unique<const XcapHistory>(std::move(ask)));
  return usages;
}

}  // namespace

std::string Daemon::bind_xcap() {
  const XcapSettings& xcap = settings_.xcap;
  std::string& deferred_root = settings_.sip.im.deferred.xcap_root;
  if (xcap.listeners.empty()) {
    const auto& domains = settings_.sip.domains;
    if (deferred_root.empty()) deferred_root = "https://" + (domains.empty() ? settings_.realm : domains.front()) + "/";
    return "";
  }
  xcap_http_ = std::make_unique<HttpServer>(xcap.http, [this](const HttpAsked& asked) { return xcap_->answer(asked); });
  for (const XcapListener& listener : xcap.listeners) {
    const auto address = resolve_host(without_brackets(listener.host), listener.port);
    core::Address bound;
    const std::string why =
        address ? xcap_http_->listen(*address, listener.secure, bound) : std::string("has no address");
    if (!why.empty()) return "--xcap: " + listener.host + ":" + std::to_string(listener.port) + ": " + why;
    xcap_at_.push_back((listener.secure ? "https:" : "http:") + core::to_string(bound));
    if (settings_.sip.xcap.root.empty()) {
      settings_.sip.xcap.root =
          (listener.secure ? "https://" : "http://") + core::to_string(bound) + xcap.front.service.root + "/";
    }
  }
  if (!xcap.uri.empty()) settings_.sip.xcap.root = xcap.uri;
  if (deferred_root.empty()) deferred_root = settings_.sip.xcap.root;
  xcap_http_->set_tls(loaded_.tls.server);
  return "";
}

// The configuration that shards begin with.
std::shared_ptr<const policy::Config> Daemon::begin_xcap(std::shared_ptr<const policy::Config> config,
                                                         std::vector<core::XcapRow>&& rows) {
  if (xcap_http_ == nullptr) return config;
  xcap_ = std::make_unique<XcapFront>(
      XcapFront::Parts{.config = settings_.xcap.front,
                       .usages = all_usages(settings_.sip,
                                            [this](core::AdminRequest::Kind kind, const std::string& argument) {
                                              return ask_all(kind, argument);
                                            }),
                       .store = store_.get(),
                       .store_shard = shards_->count(),
                       .publish =
                           [this](std::shared_ptr<const policy::UserDocuments> documents, bool wait) {
                             shards_->reload(policy::user_documents_only(std::move(documents)));
                             // What is posted to a shard is looked at in its order: who answers this has that.
                             if (wait) (void)gather_->ask_all(core::AdminRequest::Kind::summary, "", in_effect_limit);
                           },
                       .draining = [this] { return state_ == State::draining; }});
  std::vector<std::string> warnings;
  auto begun = std::make_shared<policy::Config>(*config);
  begun->user_documents = xcap_->begin(loaded_.documents, users_of(config), std::move(rows), warnings);
  for (const std::string& warning : warnings) log(core::LogRecord::Level::warn, "xcap " + warning);
  return begun;
}

void Daemon::reload_xcap(const Loaded& loaded, const std::shared_ptr<const policy::Config>& config) {
  if (xcap_ == nullptr) return;
  std::vector<std::string> warnings;
  xcap_->reload(loaded.documents, users_of(config), warnings);
  for (const std::string& warning : warnings) log(core::LogRecord::Level::warn, "xcap " + warning);
  xcap_http_->set_tls(loaded.tls.server);
}

void Daemon::put_xcap_facts(std::vector<ProcessSample>& facts) const {
  using core::MetricType;
  if (xcap_ == nullptr) return;
  using Labels = std::vector<std::pair<std::string, std::string>>;
  const auto fact = [&](const char* name, MetricType type, const char* help, Labels labels, std::uint64_t value) {
    facts.push_back({name, type, help, std::move(labels), static_cast<double>(value)});
  };
  const XcapCounts counts = xcap_->counts();
  fact("parley_xcap_documents", MetricType::gauge, "Documents that users have written by XCAP.", {}, counts.documents);
  fact("parley_xcap_document_bytes", MetricType::gauge, "All these documents together.", {}, counts.bytes);
  fact("parley_xcap_changes_total", MetricType::counter, "Changes of them that hold.", {}, counts.changes);
  fact("parley_xcap_unstored_total", MetricType::counter,
       "Changes answered 503: the store refused them, or did not take them within --store-answer-max.", {},
       counts.unstored);
  const char* help = "Answers to XCAP requests, by the first digit of their status.";
  for (std::size_t digit = 2; digit < counts.answers.size(); ++digit) {
    fact("parley_xcap_answers_total", MetricType::counter, help, {{"status", std::to_string(digit) + "xx"}},
         counts.answers[digit]);
    help = "";
  }
  const HttpDigestCounts auth = xcap_->auth_counts();
  const std::pair<const char*, std::uint64_t> results[] = {
      {"challenged", auth.challenged}, {"accepted", auth.accepted}, {"failed", auth.failed},
      {"stale", auth.stale},           {"replayed", auth.replayed}, {"rate_limited", auth.rate_limited}};
  help = "XCAP requests by what became of their credentials.";
  for (const auto& [result, count] : results) {
    fact("parley_xcap_auth_total", MetricType::counter, help, {{"result", result}}, count);
    help = "";
  }
  const HttpCounts http = xcap_http_->counts();
  fact("parley_xcap_connections", MetricType::gauge, "Open connections of XCAP clients.", {}, http.connections);
  fact("parley_xcap_connections_accepted_total", MetricType::counter, "Connections of XCAP clients.", {},
       http.accepted);
  fact("parley_xcap_requests_total", MetricType::counter, "XCAP requests that came whole.", {}, http.requests);
  const std::pair<const char*, std::uint64_t> limits[] = {{"connections", http.refused_connections},
                                                          {"connections_per_source", http.refused_source},
                                                          {"body", http.refused_body},
                                                          {"head", http.refused_head},
                                                          {"time", http.timeouts},
                                                          {"nonces", auth.nonces_limit}};
  help = "Limits of XCAP that were hit: connections closed, requests and documents refused, nonces forgotten early.";
  for (const auto& [limit, count] : limits) {
    fact("parley_xcap_limit_hits_total", MetricType::counter, help, {{"limit", limit}}, count);
    help = "";
  }
  for (std::size_t n = 1; n < policy::xcap_limits; ++n) {
    fact("parley_xcap_limit_hits_total", MetricType::counter, help,
         {{"limit", std::string(to_string(static_cast<policy::XcapLimit>(n)))}}, counts.limits[n]);
  }
  fact("parley_xcap_bad_requests_total", MetricType::counter, "What came to an XCAP listener and is not HTTP.", {},
       http.bad);
  fact("parley_xcap_tls_failures_total", MetricType::counter, "TLS handshakes of XCAP clients that failed.", {},
       http.tls_failures);
}

}  // namespace parley::parleyd
