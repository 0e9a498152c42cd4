// policy/admission.cc - see admission.h.
#include "policy/admission.h"

#include <algorithm>
#include <string>

#include "core/text.h"
#include "sip/timer_headers.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

namespace {

constexpr std::string_view resource_priority = "Resource-Priority";  // RFC 4412
constexpr std::string_view emergency = "urn:service:sos";            // RFC 5031
constexpr core::Duration idle_at_level_three = std::chrono::seconds(2);

bool starts_with_ignore_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && core::equal_ignore_case(text.substr(0, start.size()), start);
}

// Itself or one of its kinds: urn:service:sos.fire.
bool is_emergency(std::string_view uri) {
  return starts_with_ignore_case(uri, emergency) && (uri.size() == emergency.size() || uri[emergency.size()] == '.');
}

// Whether an unread datagram may be one that passes at every level. `known`: its source may ask for priority.
bool may_pass(std::string_view bytes, bool known) {
  if (bytes.starts_with("ACK ") || bytes.starts_with("BYE ") || bytes.starts_with("CANCEL ")) return true;
  const std::size_t uri = bytes.find(' ');
  if (uri != std::string_view::npos && starts_with_ignore_case(bytes.substr(uri + 1), emergency)) return true;
  if (!known) return false;
  for (std::size_t line = bytes.find('\n'); line != std::string_view::npos; line = bytes.find('\n', line + 1)) {
    if (starts_with_ignore_case(bytes.substr(line + 1), resource_priority)) return true;
  }
  return false;
}

bool ends_something(const sip::Received& request) {
  const std::string_view expires = request.head.value(HeaderId::expires, request.bytes);
  std::uint32_t seconds = 1;
  return sip::parse_seconds(expires, seconds) && seconds == 0;
}

Metric refusals_at(unsigned level) {
  switch (level) {
    case 2: return Metric::overload_refused_2;
    case 3: return Metric::overload_refused_3;
    default: return Metric::overload_refused_4;
  }
}

}  // namespace

Admission::Admission(const Parts& parts)
    : home_(parts.home),
      transport_(parts.transport),
      pool_(parts.pool),
      metrics_(parts.metrics),
      key_(parts.key),
      config_(parts.config),
      sources_(parts.config->sources.sources_max, parts.random, parts.metrics),
      refresh_times_(parts.random) {}

void Admission::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  const unsigned before = overload_.level();
  const unsigned level = overload_.look(config_->overload, now_, pool_.heap_bytes(), pool_.heap_bytes_max());
  if (level == before) return;
  metrics_.set(Metric::overload_level, level);
  using Level = core::LogRecord::Level;
  out.log(level > before && level > 1 ? Level::warn : Level::info,
          "overload_level from=" + std::to_string(before) + " to=" + std::to_string(level) + " lag_us=" +
              std::to_string(now_.lag.count() / 1000) + " heap_bytes=" + std::to_string(pool_.heap_bytes()));
}

bool Admission::wants(const core::Input& datagram) {
  std::string_view bytes = pool_.view(datagram.slice);
  bytes.remove_prefix(sip::leading_lines(bytes).bytes);
  if (bytes.empty() || bytes == "\r" || starts_with_ignore_case(bytes, "SIP/2.0 ")) return true;
  const core::Address& source = *datagram.source;
  const bool is_trusted = home_.trusts(source);
  if (overload_.level() >= 4 && !may_pass(bytes, is_trusted || sources_.proven(source, now_.mono))) {
    metrics_.add(Metric::overload_datagrams);
    return false;
  }
  return is_trusted || sources_.take(config_->sources, source, now_.mono);
}

bool Admission::lets_in(const sip::Received& request) {
  const unsigned level = overload_.level();
  if (level < 2) return true;
  OverloadQuestion question{.method = request.head.method, .in_dialog = !request.essentials.to_tag.empty()};
  if (question.method == Method::subscribe || question.method == Method::register_) {
    question.ends_something = ends_something(request);
  }
  if (question.method == Method::register_ && level >= 3) {
    question.early_refresh = !question.ends_something && refresh_times_.early(request, now_.mono);
  }
  const unsigned from = overload_refused_from(question);
  if (level < from || has_priority(request)) return true;
  if (level == from && level < overload_levels && is_one_of_those(request)) return true;
  metrics_.add(refusals_at(level));
  return false;
}

// The same for each repetition, as long as no less is let in: whoever was refused is not served after all.
bool Admission::is_one_of_those(const sip::Received& request) const {
  const std::uint32_t per_mille = overload_.let_in_per_mille();
  if (per_mille == 0) return false;
  const sip::Essentials& e = request.essentials;
  return core::KeyedHash(key_).add(e.call_id).add(sip::branch_of(e.via)).finish().low % 1000 < per_mille;
}

// An emergency is believed of anybody; a claim of priority only of those who are known.
bool Admission::has_priority(const sip::Received& request) const {
  if (is_emergency(request.head.uri.of(request.bytes))) return true;
  const auto is_claim = [&](const sip::Header& header) {
    return header.id == HeaderId::other && core::equal_ignore_case(header.name.of(request.bytes), resource_priority);
  };
  const auto begin = request.head.headers.begin();
  if (std::none_of(begin, begin + request.head.header_count, is_claim)) return false;
  const core::Address& source = request.flow.remote;
  return home_.trusts(source) || transport_.proven(request.flow) ||
         (!request.flow.reliable() && sources_.proven(source, now_.mono));
}

void Admission::prove(const sip::Received& request) {
  transport_.prove(request.flow);
  sources_.prove(config_->sources, request.flow.remote, now_.mono);
}

// A few with each step. The time they may be idle shrinks with each level.
void Admission::close_idle_strangers() {
  const unsigned level = overload_.level();
  if (level == 0) return;
  const core::Duration idle = config_->transport.idle / (1 << level);
  strangers_.clear();
  transport_.find_idle_strangers(level >= 3 ? std::min(idle, idle_at_level_three) : idle, strangers_);
  for (const sip::Flow& flow : strangers_) {
    if (home_.trusts(flow.remote)) continue;
    metrics_.add(Metric::overload_idle_closed);
    transport_.close(flow);
  }
}

}  // namespace parley::policy
