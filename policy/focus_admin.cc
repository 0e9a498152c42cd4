// policy/focus_admin.cc - what operators ask of the sessions of the controlling function, and what they tell it: lists,
// who takes part, the end of a participant or a session, what became of a message. See focus.h.
//
// Answers are JSON of our own numbers and of texts that are escaped. The name of an ad-hoc session is what lets somebody in:
// only its beginning is shown. So are no bodies, no MSRP URIs, no tags. An answer is made in one turn of the shard, so
// each list has a length that it does not exceed.
#include <algorithm>
#include <charconv>

#include "core/json_text.h"
#include "policy/cpim.h"
#include "policy/focus.h"

namespace parley::policy {

using core::put_json_field;
using core::put_json_flag;
using core::put_json_string;

namespace {

constexpr std::uint64_t list_default = 1000;
constexpr std::size_t traces_max = 32;     // with one Message-ID
constexpr std::size_t name_chars_shown = 12;  // of a session's name: kind, shard, and a part of its place

std::string_view name_of(SessionKind kind) {
  switch (kind) {
    case SessionKind::one_to_one: return "one-to-one";
    case SessionKind::adhoc: return "ad-hoc";
    case SessionKind::prearranged: return "pre-arranged";
    case SessionKind::chat_room: return "chat-room";
  }
  return "";
}

// As his path says; a relay of his may speak otherwise with him.
std::string_view media_transport(const MediaTerms& terms) {
  if (terms.path.empty()) return "-";
  const bool websocket = std::string_view(terms.path).substr(terms.path.rfind(';') + 1) == "ws";
  if (websocket) return terms.secure ? "wss" : "ws";
  return terms.secure ? "tls" : "tcp";
}

std::uint64_t seconds(core::Duration d) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(d).count()));
}

// "17.3": place and generation. Which of them is live now is no secret.
void put_id(std::string& out, core::SlotId id) {
  out.append(std::to_string(id.index)).append(".").append(std::to_string(id.generation));
}

// Takes an id off the front of `text`, and the blank behind it.
core::SlotId take_id(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  core::SlotId id;
  const char* const end = word.data() + word.size();
  const auto index = std::from_chars(word.data(), end, id.index);
  if (index.ec != std::errc{} || index.ptr == end || *index.ptr != '.') return {};
  const auto generation = std::from_chars(index.ptr + 1, end, id.generation);
  return generation.ec == std::errc{} && generation.ptr == end ? id : core::SlotId{};
}

std::uint64_t limit_of(std::string_view text) {
  std::uint64_t limit = list_default;
  (void)std::from_chars(text.data(), text.data() + text.size(), limit);
  return limit;
}

}  // namespace

std::string Focus::answer_admin(const core::AdminRequest& request, std::int64_t wall_ms) {
  using Kind = core::AdminRequest::Kind;
  std::string json;
  std::string_view rest = request.argument;
  switch (request.kind) {
    case Kind::list_rooms: list_rooms(limit_of(rest), json); break;
    case Kind::show_room: {
      const core::SlotId id = take_id(rest);
      const FocusSession* const s = has(id) ? sessions_.get(id) : nullptr;
      if (s == nullptr) return "{}";
      json = "{\"room\":";
      put_room(*s, json);
      json += ",\"members\":[";
      std::uint64_t left = limit_of(rest);
      for (const core::SlotId each : s->participants) {
        const Participant* const p = participants_.get(each);
        if (p == nullptr || left == 0) continue;
        --left;
        if (json.back() != '[') json += ',';
        put_member(*p, json);
      }
      json += "]}";
      break;
    }
    case Kind::kick_member: {
      const core::SlotId session = take_id(rest);
      const core::SlotId participant = take_id(rest);
      json = kick(session, participant) ? "{\"kicked\":true}" : "{\"kicked\":false}";
      break;
    }
    case Kind::close_room: json = close(take_id(rest)) ? "{\"closed\":true}" : "{\"closed\":false}"; break;
    case Kind::trace: put_trace(rest, wall_ms, json); break;
    case Kind::list_sessions:
    case Kind::kick_session:
    case Kind::summary:  // the relay's
    case Kind::system_message:
    case Kind::list_system_messages:
    case Kind::close_system_message:
    case Kind::where:
    case Kind::deferred_list:
    case Kind::deferred_entries:
    case Kind::deferred_delete:
    case Kind::history_list:
    case Kind::history_entries:
    case Kind::history_delete: json = "{}"; break;
  }
  return json;
}

void Focus::list_rooms(std::uint64_t limit, std::string& json) {
  json = "[";
  sessions_.for_each([&](core::SlotId, FocusSession& s) {
    if (limit == 0 || s.ending) return;
    --limit;
    if (json.size() > 1) json += ',';
    put_room(s, json);
  });
  json += ']';
}

void Focus::put_room(const FocusSession& s, std::string& json) const {
  const RoomCounts counts = rooms_ == nullptr ? RoomCounts{} : rooms_->counts(s.room);
  json += "{\"id\":\"";
  put_id(json, s.self);
  json += '"';
  put_json_field(json, "kind", name_of(s.kind));
  put_json_field(json, "name", std::string_view(s.name).substr(0, name_chars_shown));
  put_json_field(json, "group", s.group == nullptr ? std::string_view("-") : std::string_view(s.group->uri()));
  put_json_field(json, "originator", s.originator_uri);
  put_json_field(json, "participants", s.in);
  put_json_field(json, "invited", s.inviting + s.waiting.size());
  put_json_field(json, "away", counts.away);
  put_json_field(json, "messages", counts.messages);
  put_json_field(json, "bytes", counts.bytes);
  put_json_field(json, "refused", counts.refused);
  put_json_field(json, "missed", counts.missed);
  put_json_field(json, "age_seconds", seconds(now_ - s.began));
  put_json_field(json, "quiet_seconds", seconds(now_ - std::max(s.began, counts.last_message)));
  json += '}';
}

void Focus::put_member(const Participant& p, std::string& json) const {
  const Rooms::MemberState state =
      rooms_ != nullptr && p.member.valid() ? rooms_->state_of(p.member) : Rooms::MemberState{};
  json += "{\"id\":\"";
  put_id(json, p.self);
  json += '"';
  put_json_field(json, "number", state.number);
  put_json_field(json, "user", p.uri);
  put_json_flag(json, "anonymous", p.anonymous);
  // RFC 4575 section 5.7.3 has these words.
  std::string_view stand = "disconnecting";
  if (p.stand == Participant::Stand::inviting) stand = p.invited_by_us() ? "dialing-out" : "dialing-in";
  if (p.stand == Participant::Stand::in) stand = "connected";
  put_json_field(json, "state", stand);
  put_json_field(json, "joining_method", p.invited_by_us() ? "dialed-out" : "dialed-in");
  put_json_field(json, "sip", name_of(p.way.flow.transport));
  put_json_field(json, "msrp", media_transport(p.terms));
  put_json_field(json, "media", !state.connected ? "gone" : state.live ? "live" : "behind");
  put_json_field(json, "behind", state.behind);
  put_json_flag(json, "held", state.held);
  put_json_field(json, "messages_in", state.messages_in);
  put_json_field(json, "messages_out", state.messages_out);
  put_json_field(json, "waiting_bytes", state.waiting_bytes);
  json += '}';
}

void Focus::put_trace(std::string_view message_id, std::int64_t wall_ms, std::string& json) const {
  std::vector<TracedMessage> found;
  if (rooms_ != nullptr && !message_id.empty()) rooms_->trace(message_id, traces_max, found);
  json = "[";
  for (const TracedMessage& each : found) {
    if (json.size() > 1) json += ',';
    json.append("{\"room\":\"").append(std::to_string(shard_)).append("-");
    put_id(json, core::SlotId::unpack(each.room_owner));
    json += '"';
    put_json_field(json, "message_id", each.message_id());
    put_json_field(json, "members_see", each.shown_id());
    put_json_field(json, "sender", each.sender);
    put_json_flag(json, "private", each.to_one);
    std::string at;
    append_date_time(at, each.wall_ms);
    put_json_field(json, "at", at);
    put_json_field(json, "seconds_ago", seconds(std::chrono::milliseconds(wall_ms - each.wall_ms)));
    put_json_field(json, "bytes", each.bytes);
    put_json_field(json, "legs", each.legs);
    put_json_field(json, "delivered", each.delivered);
    put_json_field(json, "answered", each.answered);
    put_json_field(json, "failed", each.failed);
    put_json_field(json, "behind", each.behind);
    json += '}';
  }
  json += ']';
}

// As a REFER with BYE ends his dialog (OMA-SES-7). He may come again: to keep him out is the group's matter.
bool Focus::kick(core::SlotId session, core::SlotId participant) {
  Participant* const p = participants_.get(participant);
  if (p == nullptr || p->session != session || p->stand == Participant::Stand::gone) return false;
  p->booted = true;
  p->refusal = p->stand == Participant::Stand::in ? std::uint16_t{0} : std::uint16_t{487};
  hang_up(*p, "SIP;cause=200;text=\"Booted by focus\"");
  if (Participant* const left = participants_.get(participant)) settle(*left);
  settle(session);
  return true;
}

bool Focus::close(core::SlotId session) {
  if (!has(session)) return false;
  FocusSession& s = *sessions_.get(session);
  end_session(s, "SIP;cause=480;text=\"Closed By Operator\"");
  settle(s);
  return true;
}

}  // namespace parley::policy
