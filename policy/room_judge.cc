// policy/room_judge.cc - whether a message may go where its message/cpim says (RFC 7701 sections 6.1 to 6.3; R7701-1).
// See room_state.h.
#include <algorithm>

#include "policy/room_names.h"
#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;

// From: himself, by a name that he is known by (R7701-1). What others may not see is written anew (OMA-ALIAS-3,
// OMA-ALIAS-4).
Rooms::State::SaidFrom Rooms::State::judge_from(const Room& room, const RoomMember& member, const CpimHead& head,
                                                std::string_view bytes) {
  if (head.from_count != 1) return SaidFrom::another;
  const std::string_view from_uri = head.from_uri.of(bytes);
  const bool anonymous = member.about.anonymous_number != 0;
  if (from_uri == member.about.uri && !anonymous) return SaidFrom::himself;
  char key_room[room_key_bytes_max];
  const std::string_view from = room_key(from_uri, key_room);
  bool own = !from.empty() &&
             (from == member.own_key || is_anybody(from) || from == room.users[room.legs[member.index].user].key);
  for (const std::string& uri : member.about.other_uris) {
    char other[room_key_bytes_max];
    own = own || (!from.empty() && room_key(uri, other) == from);
  }
  if (!own) return SaidFrom::another;
  const bool write = anonymous ? head.from_line.of(bytes) != member.from_line : is_anybody(from);
  return write ? SaidFrom::write : SaidFrom::himself;
}

// The head with the From that stands for him: new_head.
void Rooms::State::put_from(const RoomMember& member, RoomMessage& message, const CpimHead& head,
                            std::string_view bytes) {
  new_head.assign(bytes.substr(0, head.from_line.offset));
  new_head.append(member.from_line);
  new_head.append(bytes.substr(head.from_line.offset + head.from_line.length,
                               head.length - head.from_line.offset - head.from_line.length));
  message.delta = new_head.size() - head.length;  // modulo 2^64
}

Rooms::State::Gathered Rooms::State::judge(Room& room, RoomMember& member, RoomMessage& message, const CpimHead& head,
                                           std::string_view bytes) {
  if (head.requires_unknown) return {400, Metric::room_bad_cpim};  // R3862-7
  if (member.about.judged) return {};
  const SaidFrom from = judge_from(room, member, head, bytes);
  if (from == SaidFrom::another) return {403, Metric::room_bad_from};
  // What is distributed goes to all, whatever its To says, and they judge what it wraps.
  if (room.traits.kind == RoomKind::distribution) {
    if (from == SaidFrom::write) put_from(member, message, head, bytes);
    return {};
  }
  char key_room[room_key_bytes_max];
  if (head.to_count > 1) return {403, Metric::room_bad_to};
  const std::string_view to = room_key(head.to_uri.of(bytes), key_room);
  const bool to_all =
      !to.empty() && std::find(room.identity_keys.begin(), room.identity_keys.end(), to) != room.identity_keys.end();
  if (!to_all) {
    const auto user = room.users_by_key.find(to);
    if (to.empty() || user == room.users_by_key.end()) return {404, Metric::room_bad_to};
    if (!room.traits.private_messages) return {403, Metric::room_bad_to};
    bool capable = false;
    for (const MemberHandle leg : room.users[user->second].legs)
      capable = capable || members.get(leg)->about.private_messages;
    if (!capable) return {428, Metric::room_bad_to};
    message.to_user = user->second + 1;
    message.about.to_user = room.users[user->second].hash;
    message.reply_head.assign("From: ").append(head.from.of(bytes)).append("\r\nTo: ").append(head.to.of(bytes));
  }
  message.type.assign(head.content_type.present() ? head.content_type.of(bytes) : "text/plain");
  if (!accepts_type(room.traits.wrapped_types, message.type)) return {415, Metric::room_no_cpim};
  message.passing = is_composing(message.type);  // T-82
  if (message.passing) {
    message.keep = false;
    message.count = false;
  }
  if (!message.passing && !message_id_of(message).empty() && config->recent_ids != 0) {
    core::KeyedHash hash(hash_key);
    hash.add(member.own_key).add(message_id_of(message)).add(bytes.substr(0, head.length));
    message.repeat_key = hash.finish().low;
    if (std::find(room.recent.begin(), room.recent.end(), message.repeat_key) != room.recent.end()) {
      metrics.add(Metric::room_repeated);
      message.state = RoomMessage::State::discarded;
      message.count = false;
      return {};
    }
  }
  std::uint32_t delta = 0;
  if (from == SaidFrom::write) {
    put_from(member, message, head, bytes);
    delta = static_cast<std::uint32_t>(message.delta);
  }
  if (message.to_user != 0 && message.total != msrp::ByteRange::unknown &&
      too_large_for_all(room, member, message.to_user, message.total + message.delta)) {
    return {413, Metric::room_too_large};
  }
  message.about.type_in_body = true;
  message.about.type_length = head.content_type.length;
  message.about.type_offset =
      head.content_type.offset + (head.content_type.offset > head.from_line.offset ? delta : 0);  // modulo 2^32
  return {};
}

}  // namespace parley::policy
