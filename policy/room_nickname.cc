// policy/room_nickname.cc - NICKNAME (RFC 7701 section 7) and the aliases that members join with (OMA-ALIAS). See
// room_state.h.
#include <map>

#include "policy/nickname.h"
#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;

void Rooms::State::on_nickname(Room& room, RoomMember& member, msrp::EndFact& fact) {
  std::string shown;
  std::uint16_t status = 501;  // R7701-3: what we do not advertise
  if (room.traits.kind == RoomKind::group) {
    // The order of section 7.1.
    if (!room.traits.nicknames) {
      status = 403;
    } else if (fact.status != 0 || (fact.head != nullptr && !fact.head->use_nickname.present())) {
      status = 424;  // it can not be read, or is not there
    } else {
      status = take_nickname(room, member, fact.nickname, shown);
    }
  }
  metrics.add(status == 200 ? Metric::room_nicknames : Metric::room_nicknames_refused);
  legs.answer(fact.end, fact.token, status);
  if (status == 200) tell(RoomFact::Kind::nickname, room, &member).nickname = shown;
}

// An empty one takes away what he has. What he has stays when he can not have the other (section 7.2).
std::uint16_t Rooms::State::take_nickname(Room& room, RoomMember& member, std::string_view text, std::string& shown) {
  shown.clear();
  if (text.empty()) {
    drop_nickname(room, member, false);
    return 200;
  }
  if (!enforce_nickname(text, shown) || !nickname_key(text, prepared)) return 424;
  for (const std::string& reserved : room.reserved) {
    if (reserved == prepared) return 425;
  }
  const auto found = room.nicknames.find(prepared);
  if (found != room.nicknames.end()) {
    const RoomNickname& name = found->second;
    const bool free = name.legs == 0 && name.until <= now.mono;
    if (!free && name.owner != member.own_key) return 425;
  }
  if (member.nickname_key != prepared) {
    const std::string wanted = prepared;
    drop_nickname(room, member, false);
    RoomNickname& name = room.nicknames[wanted];
    if (name.legs == 0 && !name.owner.empty()) --room.names_held;
    name.owner = member.own_key;
    ++name.legs;
    member.nickname_key = wanted;
  }
  room.nicknames[member.nickname_key].shown = shown;
  return 200;
}

void Rooms::State::expire_names(Room& room) {
  if (room.names_held == 0) return;
  room.names_held -= static_cast<std::uint32_t>(std::erase_if(
      room.nicknames, [this](const auto& each) { return each.second.legs == 0 && each.second.until <= now.mono; }));
}

void Rooms::State::drop_nickname(Room& room, RoomMember& member, bool hold) {
  if (member.nickname_key.empty()) return;
  const auto found = room.nicknames.find(member.nickname_key);
  if (found != room.nicknames.end() && --found->second.legs == 0) {
    if (hold) {
      found->second.until = now.mono + config->nickname_hold;
      ++room.names_held;
    } else {
      room.nicknames.erase(found);
    }
  }
  member.nickname_key.clear();
}

}  // namespace parley::policy
