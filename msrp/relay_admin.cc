// msrp/relay_admin.cc - what operators ask of a running relay: its sessions, and the end of one.
//
// Answers are JSON text of our own numbers and of names that are escaped here; session URIs are bearer secrets and are
// never shown.
#include <charconv>

#include "core/json_text.h"
#include "msrp/relay.h"

namespace parley::msrp {

using core::put_json_field;
using core::put_json_string;

namespace {

// A session on a pipe is one of a relay, which has shown a certificate.
std::string_view shown_transport(core::Transport transport) {
  return name_of(transport == core::Transport::pipe ? core::Transport::tls : transport);
}

}  // namespace

void Relay::on_admin(const core::AdminRequest& request) { out_->admin_reply(request.id, answer_admin(request)); }

std::string Relay::answer_admin(const core::AdminRequest& request) {
  std::string json;
  switch (request.kind) {
    case core::AdminRequest::Kind::list_sessions: {
      // A turn must not be spent on a list: the argument says how many at most.
      std::uint64_t left = 1000;
      (void)std::from_chars(request.argument.data(), request.argument.data() + request.argument.size(), left);
      json = "[";
      sessions_.for_each([&](core::SlotId, Session& session) {
        if (left == 0) return;
        --left;
        if (json.size() > 1) json += ',';
        json.append("{\"id\":\"").append(std::to_string(session.number)).append("\",\"user\":");
        put_json_string(json, session.user);
        json += ",\"remote\":";
        const Conn* conn = live(session.owner);
        put_json_string(json, conn != nullptr ? core::to_string(conn->remote) : "");
        json += ",\"transport\":";
        // Only relays' sessions are behind pipes, and relays show certificates.
        put_json_string(json, conn != nullptr ? shown_transport(conn->transport) : "tcp");
        put_json_field(json, "shard", shard_);
        const auto seconds = [](core::Duration d) {
          return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
        };
        put_json_field(json, "age_seconds", seconds(now_.mono - session.created));
        put_json_field(json, "expires_seconds", session.expires > now_.mono ? seconds(session.expires - now_.mono) : 0);
        put_json_field(json, "peers", session.peers.size());
        put_json_field(json, "chunks_in", session.messages_in);
        put_json_field(json, "chunks_out", session.messages_out);
        put_json_field(json, "bytes_in", session.bytes_in);
        put_json_field(json, "bytes_out", session.bytes_out);
        put_json_field(json, "waiting_bytes", conn != nullptr ? conn->waiting_bytes() : 0);
        json += '}';
      });
      json += ']';
      break;
    }
    case core::AdminRequest::Kind::kick_session: {
      std::uint64_t number = 0;
      const std::string& text = request.argument;
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
      Session* found = nullptr;
      if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()) {
        sessions_.for_each([&](core::SlotId, Session& session) {
          if (session.number == number) found = &session;
        });
      }
      json = found != nullptr ? "{\"kicked\":true}" : "{\"kicked\":false}";
      if (found != nullptr) {
        Conn* conn = live(found->owner);
        end_session(*found, SessionEnd::kicked);
        // A client whose last session is ended has no business here; a relay's connection carries others.
        if (conn != nullptr && conn->first_session == nullptr && !conn->relay_peer && !conn->is_pipe()) close(*conn);
      }
      break;
    }
    case core::AdminRequest::Kind::summary:
      json = "{\"shard\":" + std::to_string(shard_);
      put_json_field(json, "connections", conns_.size());
      put_json_field(json, "sessions", sessions_.size());
      put_json_field(json, "transactions", transactions_.outside());
      put_json_field(json, "heap_bytes", pool_.heap_bytes());
      put_json_field(json, "draining", draining_ ? 1 : 0);
      json += '}';
      break;
    case core::AdminRequest::Kind::list_rooms:
    case core::AdminRequest::Kind::list_system_messages:
    case core::AdminRequest::Kind::trace: json = "[]"; break;  // rooms are others' business
    case core::AdminRequest::Kind::where:  // nothing is remembered of what is relayed
      json = R"({"waiting":[],"sending":[],"passed":[],"rooms":[]})";
      break;
    case core::AdminRequest::Kind::show_room:
    case core::AdminRequest::Kind::kick_member:
    case core::AdminRequest::Kind::close_room:
    case core::AdminRequest::Kind::system_message:
    case core::AdminRequest::Kind::close_system_message:
    case core::AdminRequest::Kind::deferred_list:
    case core::AdminRequest::Kind::deferred_entries:
    case core::AdminRequest::Kind::deferred_delete:
    case core::AdminRequest::Kind::history_list:
    case core::AdminRequest::Kind::history_entries:
    case core::AdminRequest::Kind::history_delete: json = "{}"; break;
  }
  return json;
}

}  // namespace parley::msrp
