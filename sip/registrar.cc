// sip/registrar.cc - see registrar.h.
#include "sip/registrar.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "core/address.h"
#include "core/text.h"
#include "sip/date.h"
#include "sip/params.h"
#include "sip/timer_headers.h"
#include "sip/tokens.h"
#include "sip/uri.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

using core::Metric;

constexpr std::uint32_t reg_id_max = (std::uint32_t{1} << 31) - 1;  // RFC 5626 section 4.2
constexpr std::size_t user_agent_bytes_max = 256;                   // kept for reports only: its beginning will do
constexpr std::uint32_t full_retry_after_s = 300;                   // as long as a short registration takes to end

// One Contact of the request.
struct Asked {
  Address address;
  Uri uri;
  std::string_view instance;
  std::uint32_t reg_id = 0;
  std::uint16_t q = 1000;
  std::uint32_t seconds = 0;  // 0: the binding is to go
  bool flow = false;          // a binding of RFC 5626: named by instance and reg-id
};

struct Refusal {
  std::uint16_t status = 0;  // 0: none
  std::string_view reason{};
  Metric metric = Metric::sip_register_malformed;
};

// "0.7": a digit and up to three more, of which clients write more or leave the first out. False above 1.
bool parse_q(std::string_view text, std::uint16_t& thousandths) {
  const std::size_t dot = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = text.substr(std::min(dot + 1, text.size()));
  if ((!whole.empty() && whole != "0" && whole != "1") || (whole.empty() && fraction.empty())) return false;
  std::uint32_t value = whole == "1" ? 1000 : 0;
  std::uint32_t unit = 100;
  for (const char c : fraction) {
    if (c < '0' || c > '9') return false;
    value += unit * static_cast<std::uint32_t>(c - '0');
    unit /= 10;
  }
  thousandths = static_cast<std::uint16_t>(value);
  return value <= 1000;
}

bool same_instance(std::string_view a, std::string_view b) { return core::equal_ignore_case(a, b); }

class Registration {
 public:
  Registration(const RegisterQuestion& question, const RegistrarConfig& config, const core::Now& now,
               const Location& location)
      : q_(question), config_(config), now_(now), there_(location.bindings(question.aor)) {}

  // The checks, in the order in which a client can mend what they find. Nothing has changed when one of them refuses.
  Refusal read();
  Refusal order();
  std::vector<BindingChange>& changes() { return changes_; }
  [[nodiscard]] bool outbound() const { return outbound_; }
  [[nodiscard]] bool direct() const { return direct_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Refusal read_path();
  Refusal read_contacts();
  Refusal read_contact(const Address& address);
  Refusal check_flows();
  std::uint32_t seconds_of(const Address& address) const;
  [[nodiscard]] bool several_vias() const;
  [[nodiscard]] bool live(const Binding& binding) const { return binding.expires > now_.mono; }
  [[nodiscard]] bool means(const Asked& asked, const Binding& binding) const;
  [[nodiscard]] bool repeated_later(std::size_t index) const;
  [[nodiscard]] bool in_order(const Binding& binding) const;
  [[nodiscard]] bool changed(std::uint64_t number) const;
  [[nodiscard]] bool over_flow(const Asked& asked) const;
  void put(const Asked& asked, std::uint64_t number);

  const RegisterQuestion& q_;
  const RegistrarConfig& config_;
  const core::Now& now_;
  std::span<const Binding> there_;
  OptionSet supported_;
  std::string path_;
  bool edge_keeps_flow_ = false;  // the first hop's Path says that it does (RFC 5626 section 5.1)
  bool direct_ = false;           // no proxy stands between the client and us
  bool star_ = false;
  bool outbound_ = false;
  std::vector<Asked> asked_;
  std::vector<BindingChange> changes_;
};

Refusal Registration::read() {
  if (q_.aor.empty()) return {400, "Bad Address Of Record"};
  for (const HeaderId id : {HeaderId::supported, HeaderId::require}) {
    for (const Header* h = q_.head.first(id); h != nullptr; h = q_.head.next(*h)) {
      add_options(h->value.of(q_.bytes), supported_);
    }
  }
  if (const Refusal bad = read_path(); bad.status != 0) return bad;
  if (const Refusal bad = read_contacts(); bad.status != 0) return bad;
  return check_flows();
}

// R3327-1
Refusal Registration::read_path() {
  bool first_ob = false;
  bool last_ob = false;
  for (const Header* h = q_.head.first(HeaderId::path); h != nullptr; h = q_.head.next(*h)) {
    Items items(h->value.of(q_.bytes));
    for (std::string_view item; items.next(item);) {
      Address address;
      Uri uri;
      if (!parse_address(item, address) || !parse_uri(address.uri, uri)) return {400, "Bad Path"};
      // The first hop's is the last one. RFC 5626 section 6 says "the first URI", so the topmost one will do, too.
      last_ob = has_uri_parameter(uri, "ob");
      if (path_.empty()) first_ob = last_ob;
      if (!path_.empty()) path_.append(", ");
      path_.append(item);
    }
    if (!items.ok()) return {400, "Bad Path"};
  }
  edge_keeps_flow_ = first_ob || last_ob;
  direct_ = path_.empty() && !several_vias();
  if (path_.empty() || supported_.has(OptionTag::path) || config_.path_without_support) return {};
  return {420, {}, Metric::sip_register_unsupported};
}

bool Registration::several_vias() const {
  const Header* const first = q_.head.first(HeaderId::via);
  if (first == nullptr) return false;
  if (q_.head.next(*first) != nullptr) return true;
  Items items(first->value.of(q_.bytes));
  std::string_view item;
  return items.next(item) && items.next(item);
}

Refusal Registration::read_contacts() {
  for (const Header* h = q_.head.first(HeaderId::contact); h != nullptr; h = q_.head.next(*h)) {
    std::string_view rest = h->value.of(q_.bytes);
    if (rest.empty()) return {400, "Bad Contact"};
    while (!rest.empty()) {
      Address address;
      if (!take_address(rest, address)) return {400, "Bad Contact"};
      if (star_ || (address.star && !asked_.empty())) return {400, "Bad Contact"};  // R3261-14: '*' stands alone
      if (address.star) {
        star_ = true;
        continue;
      }
      if (const Refusal bad = read_contact(address); bad.status != 0) return bad;
    }
  }
  if (!star_) return {};
  std::uint32_t seconds = 0;
  const std::string_view expires = q_.head.value(HeaderId::expires, q_.bytes);
  if (expires.data() == nullptr || !parse_seconds(expires, seconds) || seconds != 0) {
    return {400, "Contact * Needs Expires 0"};
  }
  return {};
}

Refusal Registration::read_contact(const Address& address) {
  if (asked_.size() >= config_.contacts_max) return {403, "Too Many Contacts", Metric::sip_register_limit};
  Asked asked{.address = address, .uri = {}, .instance = {}};
  if (!parse_uri(address.uri, asked.uri)) return {400, "Bad Contact"};
  if (asked.uri.scheme != Scheme::sip && asked.uri.scheme != Scheme::sips) return {400, "Unsupported Contact Scheme"};
  if (const std::string_view q = param_value(address.params, "q"); q.data() != nullptr && !parse_q(q, asked.q)) {
    return {400, "Bad Contact"};
  }
  asked.instance = without_quotes(param_value(address.params, "+sip.instance"));
  std::uint64_t reg_id = 0;
  // Without an instance it means nothing (R5626-1).
  if (!asked.instance.empty() && parse_number(param_value(address.params, "reg-id"), reg_id_max, reg_id)) {
    asked.reg_id = static_cast<std::uint32_t>(reg_id);
  }
  asked.seconds = seconds_of(address);
  // RFC 3261 section 10.3 step 6: only below an hour.
  if (asked.seconds > 0 && asked.seconds < std::min<std::uint32_t>(config_.expires_min_s, 3600)) {
    return {423, {}, Metric::sip_register_interval};
  }
  asked.seconds = std::min(asked.seconds, config_.expires_max_s);
  asked_.push_back(asked);
  return {};
}

// R3261-14: the parameter, then the header, then the default; what is no number counts as not said (RFC 3261
// section 10.2.1.1).
std::uint32_t Registration::seconds_of(const Address& address) const {
  std::uint32_t seconds = 0;
  const std::string_view own = param_value(address.params, "expires");
  if (own.data() != nullptr) {
    return clamped_number(without_quotes(own), seconds) ? seconds : config_.expires_default_s;
  }
  const std::string_view all = q_.head.value(HeaderId::expires, q_.bytes);
  return all.data() != nullptr && parse_seconds(all, seconds) ? seconds : config_.expires_default_s;
}

// R5626-1
Refusal Registration::check_flows() {
  if (!config_.outbound || !supported_.has(OptionTag::outbound)) return {};
  std::size_t staying = 0;
  for (Asked& asked : asked_) {
    if (asked.seconds != 0) ++staying;
    if (asked.reg_id == 0) continue;
    if (!direct_ && !edge_keeps_flow_) return {439, {}, Metric::sip_register_unsupported};
    asked.flow = true;
    outbound_ = true;
  }
  const bool flow_stays =
      std::any_of(asked_.begin(), asked_.end(), [](const Asked& asked) { return asked.flow && asked.seconds != 0; });
  if (flow_stays && staying > 1) return {400, "More Than One Contact For A Flow"};
  return {};
}

bool Registration::means(const Asked& asked, const Binding& binding) const {
  if (asked.flow) return binding.reg_id == asked.reg_id && same_instance(binding.instance, asked.instance);
  // A flow may have the URI of another flow or of none. Who takes an address away without naming a flow means all.
  if (binding.reg_id != 0 && asked.seconds != 0) return false;
  Uri uri;
  return parse_uri(binding.contact, uri) && same_uri(uri, asked.uri);  // R3261-15
}

// The same twice in one request: the last one counts.
bool Registration::repeated_later(std::size_t index) const {
  const Asked& asked = asked_[index];
  return std::any_of(asked_.begin() + static_cast<std::ptrdiff_t>(index) + 1, asked_.end(), [&](const Asked& later) {
    if (asked.flow != later.flow) return false;
    if (asked.flow) return asked.reg_id == later.reg_id && same_instance(asked.instance, later.instance);
    return same_uri(asked.uri, later.uri);
  });
}

// RFC 3261 section 10.3 steps 6 and 7: of one Call-ID only what comes later. Another Call-ID is a client that has
// started anew (T-35).
bool Registration::in_order(const Binding& binding) const {
  return binding.call_id != q_.essentials.call_id || q_.essentials.cseq.number > binding.cseq;
}

bool Registration::changed(std::uint64_t number) const {
  return std::any_of(changes_.begin(), changes_.end(),
                     [number](const BindingChange& change) { return change.number == number; });
}

// What becomes of which binding. Those that stay come first: a removal never takes away what the same request puts.
Refusal Registration::order() {
  constexpr Refusal late{500, "CSeq Out Of Order", Metric::sip_register_out_of_order};
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    const Asked& asked = asked_[i];
    if (asked.seconds == 0 || repeated_later(i)) continue;
    std::uint64_t number = 0;
    for (const Binding& binding : there_) {
      // URI equality is not transitive: two contacts may both equal one binding. The first gets it.
      if (!live(binding) || changed(binding.number) || !means(asked, binding)) continue;
      if (!in_order(binding)) return late;
      number = binding.number;
      break;
    }
    put(asked, number);
  }
  for (const Binding& binding : there_) {
    if (!live(binding) || changed(binding.number)) continue;
    const bool goes = star_ || [&] {
      for (std::size_t i = 0; i < asked_.size(); ++i) {
        if (asked_[i].seconds == 0 && !repeated_later(i) && means(asked_[i], binding)) return true;
      }
      return false;
    }();
    if (!goes) continue;
    if (!in_order(binding)) return late;
    changes_.push_back({.kind = BindingChange::Kind::remove, .number = binding.number, .binding = {}});
  }
  return {};
}

// Whether requests have to go back the way the REGISTER came, because the contact's URI leads nowhere.
bool Registration::over_flow(const Asked& asked) const {
  if (!direct_ || q_.third_party) return false;  // Path leads there, or the URI does
  const Flow& flow = q_.flow;
  if (asked.flow) return true;  // R5626-2
  if (flow.transport == core::Transport::ws || flow.transport == core::Transport::wss)
    return true;  // RFC 7118 section 5
  if (asked.uri.host.ends_with(".invalid")) return true;
  const auto contact_ip = core::parse_ip(asked.uri.host, asked.uri.port);
  // The port of a connection's other end is open to nobody but us.
  if (flow.reliable() && contact_ip && *contact_ip == core::unmapped(flow.remote)) return true;
  if (!config_.nat_flows) return false;
  const auto sent_by = core::parse_ip(q_.essentials.via.host, flow.remote.port);
  return sent_by && core::unmapped(*sent_by) != core::unmapped(flow.remote);
}

void Registration::put(const Asked& asked, std::uint64_t number) {
  BindingChange& change = changes_.emplace_back();
  change.number = number;
  Binding& b = change.binding;
  b.contact = asked.address.uri;
  b.display = asked.address.display;
  std::string_view rest = asked.address.params;
  for (Param param; take_param(rest, param);) {
    constexpr std::array<std::string_view, 4> ours = {"expires", "pub-gruu", "temp-gruu", "temp-gruu-cookie"};
    if (std::any_of(ours.begin(), ours.end(),
                    [&](std::string_view name) { return core::equal_ignore_case(name, param.name); })) {
      continue;
    }
    b.params.append(";").append(param.name);
    if (param.has_value) b.params.append("=").append(param.value);
  }
  b.instance = asked.instance;
  b.reg_id = asked.flow ? asked.reg_id : 0;
  b.q = asked.q;
  b.call_id = q_.essentials.call_id;
  b.cseq = q_.essentials.cseq.number;
  b.path = path_;
  b.flow = q_.flow;
  b.over_flow = over_flow(asked);
  b.server = q_.third_party && asked.uri.user.empty();
  b.user_agent = q_.head.value(HeaderId::user_agent, q_.bytes).substr(0, user_agent_bytes_max);
  b.expires_seconds = asked.seconds;
  b.expires = now_.mono + std::chrono::seconds(asked.seconds);
}

void refuse(const Refusal& refusal, const RegistrarConfig& config, core::Metrics& metrics, RegisterAnswer& answer) {
  answer.status = refusal.status;
  answer.reason = refusal.reason;
  metrics.add(refusal.metric);
  switch (refusal.status) {
    case 420: answer.headers.add(HeaderId::unsupported, to_string(OptionTag::path)); break;
    case 423: answer.headers.add(HeaderId::min_expires, std::to_string(config.expires_min_s)); break;
    case 503: answer.headers.add(HeaderId::retry_after, std::to_string(full_retry_after_s)); break;
    default: break;
  }
}

// RFC 3261 section 10.3 step 8.
void accept(const RegisterQuestion& question, const RegistrarConfig& config, const core::Now& now,
            const Registration& registration, const Location& location, RegisterAnswer& answer) {
  answer.status = 200;
  HeaderLines& headers = answer.headers;
  bool any = false;
  for (const Binding& binding : location.bindings(question.aor)) {
    if (binding.expires <= now.mono) continue;
    any = true;
    std::string& value = headers.begin(HeaderId::contact);
    if (!binding.display.empty()) value.append(binding.display).append(" ");
    value.append("<").append(binding.contact).append(">").append(binding.params).append(";expires=");
    value.append(std::to_string(std::chrono::ceil<std::chrono::seconds>(binding.expires - now.mono).count()));
  }
  put_date(headers.begin(HeaderId::date), now.wall_ms);
  if (!registration.path().empty()) headers.add(HeaderId::path, registration.path());
  if (any) {
    for (const std::string& route : config.service_route) headers.add(HeaderId::service_route, route);
    for (const std::string& uri : question.associated) headers.add(HeaderId::p_associated_uri, uri);
  }
  if (!registration.outbound()) return;
  headers.add(HeaderId::require, to_string(OptionTag::outbound));
  if (registration.direct() && config.flow_timer_s != 0) {
    headers.add(HeaderId::flow_timer, std::to_string(config.flow_timer_s));
    answer.flow_timer_s = config.flow_timer_s;
  }
}

}  // namespace

void register_bindings(const RegisterQuestion& question, const RegistrarConfig& config, const core::Now& now,
                       Location& location, core::Metrics& metrics, RegisterAnswer& answer) {
  answer.reset();
  Registration registration(question, config, now, location);
  Refusal refusal = registration.read();
  if (refusal.status == 0) refusal = registration.order();
  if (refusal.status != 0) return refuse(refusal, config, metrics, answer);
  std::vector<BindingChange>& changes = registration.changes();
  for (const BindingChange& change : changes) {
    ++(change.kind == BindingChange::Kind::put ? answer.put : answer.removed);
    if (change.kind == BindingChange::Kind::put) answer.granted_s = std::max(answer.granted_s, change.binding.expires_seconds);
  }
  switch (location.apply(question.aor, changes, now.mono)) {
    case Location::Applied::done: break;
    case Location::Applied::too_many:
      return refuse({403, "Too Many Contacts", Metric::sip_register_limit}, config, metrics, answer);
    case Location::Applied::too_large: return refuse({513, {}, Metric::sip_register_limit}, config, metrics, answer);
    case Location::Applied::no_room: return refuse({503, {}, Metric::sip_register_limit}, config, metrics, answer);
  }
  metrics.add(Metric::sip_register_ok);
  accept(question, config, now, registration, location, answer);
}

}  // namespace parley::sip
