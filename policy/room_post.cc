// policy/room_post.cc - messages that do not come by MSRP: a SIP MESSAGE to the session (OMA-SES-10), and what the room
// itself has to say (RFC 7701 section 11). See room_state.h.
#include <algorithm>

#include "policy/room_names.h"
#include "policy/room_state.h"

namespace parley::policy {

// One message there as a whole. Between two people it goes without a wrapper unless it has one.
void Rooms::State::send_own(Room& room, const RoomMember* sender, std::uint32_t to_user, std::string_view to_uri,
                            std::string_view content_type, std::string_view content) {
  RoomMessage& message = whole;
  start_message(room, message, sender, msrp::FailureReport::no, {});
  message.state = RoomMessage::State::open;
  message.success = false;
  message.to_user = to_user;
  message.about.to_user = to_user == 0 ? 0 : room.users[to_user - 1].hash;
  message.type.assign(content_type);
  message.passing = is_composing(content_type);
  put_headers(room, message);
  new_head.clear();
  if (sender == nullptr) {
    append_cpim_address(new_head, "From", {}, room.traits.identity);
  } else {
    new_head.append(sender->from_line);
  }
  append_cpim_address(new_head, "To", {}, to_uri);
  new_head.append("DateTime: ");
  append_date_time(new_head, now.wall_ms);
  new_head.append("\r\n\r\nContent-Type: ");
  message.about.type_in_body = true;
  message.about.type_offset = static_cast<std::uint32_t>(new_head.size());
  message.about.type_length = static_cast<std::uint32_t>(content_type.size());
  new_head.append(content_type).append("\r\n\r\n").append(content);
  if (room.traits.kind != RoomKind::group) {
    message.type.assign("message/cpim");
    message.about.type_in_body = false;
    message.about.type_length = static_cast<std::uint32_t>(message.type.size());
    message.about.type_offset = static_cast<std::uint32_t>(message.headers.size() - 2 - message.type.size());
  }
  message.total = new_head.size();
  commit(room, message, 1, new_head, {});
}

void Rooms::say(RoomHandle handle, MemberHandle to, std::string_view content_type, std::string_view text) {
  State& s = *state_;
  Room* const room = s.rooms.get(handle);
  if (room == nullptr || room->traits.kind != RoomKind::group) return;
  const RoomMember* const member = s.members.get(to);
  if (to.valid() && (member == nullptr || member->room != handle)) return;
  if (member == nullptr) {
    s.send_own(*room, nullptr, 0, room->traits.identity, content_type, text);
  } else {
    s.send_own(*room, nullptr, room->legs[member->index].user + 1, member->shown_uri, content_type, text);
  }
}

// OMA-PAG-1: the 202 to it is a promise. 200: somebody else is there who can be given it, or it is kept for whom comes;
// else what keeps all of them from it.
std::uint16_t Rooms::State::takers(const Room& room, const RoomMember& sender, std::string_view type,
                                   std::uint64_t bytes) const {
  const bool kept = !room.ring.off() && bytes <= room.ring.message_bytes_max();
  const bool comes_back = std::any_of(room.away.begin(), room.away.end(),
                                      [&sender](const RoomAway& away) { return away.owner != sender.own_key; });
  const bool early = room.traits.kind != RoomKind::group && room.legs.size() < 2;
  if (kept && (comes_back || early)) return 200;
  bool wrong_type = false;
  bool too_large = false;
  bool absent = false;
  for (const RoomLeg& leg : room.legs) {
    if (leg.user == room.legs[sender.index].user || !leg.receives) continue;
    const RoomMember& member = *members.get(leg.member);
    const std::uint64_t limit = member.about.message_bytes_max;
    if (!leg.any_type && !takes(room, member, type)) {
      wrong_type = true;
    } else if (limit != 0 && bytes > limit) {
      too_large = true;
    } else if (!leg.live && !kept) {
      absent = true;
    } else {
      return 200;
    }
  }
  if (absent) return 480;
  return too_large ? std::uint16_t{413} : wrong_type ? std::uint16_t{415} : std::uint16_t{480};
}

std::string Rooms::types_of_others(MemberHandle from) const {
  const State& s = *state_;
  std::string list;
  const RoomMember* const sender = s.members.get(from);
  if (sender == nullptr) return list;
  const Room& room = *s.rooms.get(sender->room);
  const auto add_all = [&list](std::string_view types) {
    while (!types.empty()) {
      const std::size_t end = std::min(types.find(' '), types.size());
      const std::string_view type = types.substr(0, end);
      types.remove_prefix(std::min(end + 1, types.size()));
      const std::string_view shown = type == "*" ? std::string_view("*/*") : type;
      if (shown.empty() || (", " + list + ",").find(", " + std::string(shown) + ",") != std::string::npos) continue;
      list.append(list.empty() ? "" : ", ").append(shown);
    }
  };
  if (!accepts_type(room.traits.wrapped_types, "*/*")) {
    add_all(room.traits.wrapped_types);
    return list;
  }
  for (const RoomLeg& leg : room.legs) {
    const RoomMember& member = *s.members.get(leg.member);
    if (leg.user != room.legs[sender->index].user && leg.receives) add_all(member.about.accept_wrapped_types);
  }
  return list;
}

std::uint16_t Rooms::post(MemberHandle from, std::string_view content_type, std::string_view body) {
  State& s = *state_;
  RoomMember* const member = s.members.get(from);
  if (member == nullptr) return 481;
  Room& room = *s.rooms.get(member->room);
  if (!member->about.may_send || room.traits.kind == RoomKind::distribution) return 403;
  if (body.size() > s.bytes_max(room)) return 413;
  const bool group = room.traits.kind == RoomKind::group;
  if (group && !accepts_type(room.traits.wrapped_types, content_type)) return 415;
  // What stands around it is not longer than the names in it and some words.
  const std::uint64_t bytes =
      body.size() + member->from_line.size() + room.traits.identity.size() + content_type.size() + 128;
  if (const std::uint16_t status = s.takers(room, *member, group ? content_type : "message/cpim", bytes);
      status != 200) {
    return status;
  }
  s.send_own(room, member, 0, room.traits.identity, content_type, body);
  return 200;
}

}  // namespace parley::policy
