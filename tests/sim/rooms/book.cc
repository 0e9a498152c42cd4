// tests/sim/rooms/book.cc - see book.h.
#include "tests/sim/rooms/book.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace parley::sim::rooms {

std::string name_of(const std::string& identity) {
  const std::size_t begin = identity.find(':') + 1;
  return identity.substr(begin, identity.find('@', begin) - begin);
}

Room& Book::room(const std::string& identity, unsigned life) {
  const std::string name = name_of(identity);
  std::unique_ptr<Room>& room = rooms[name];
  if (room == nullptr) {
    room = std::make_unique<Room>();
    room->name = name;
    room->life = life;
  }
  return *room;
}

Seat& Book::sit(std::uint32_t agent, const std::string& user) {
  seats.push_back(std::make_unique<Seat>());
  Seat& seat = *seats.back();
  seat.number = static_cast<std::uint32_t>(seats.size());
  seat.agent = agent;
  seat.user = user;
  seat.uri = "sip:" + user + "@" + server.domain;
  seat.life = server.life;
  seat.asked = agenda_.now();
  return seat;
}

void Book::enter(Seat& seat, Room& room) {
  if (seat.room == &room) return;
  if (seat.room != nullptr) {
    journal_.fail("membership: seat %u of %s is in session %s and then in %s", seat.number, seat.user.c_str(),
                  seat.room->name.c_str(), room.name.c_str());
    return;
  }
  seat.room = &room;
  room.seats.push_back(&seat);
  for (const Arrival& one : std::exchange(seat.early, {})) arrived(seat, one);
}

Said& Book::say(Seat& by) {
  said.push_back(std::make_unique<Said>());
  Said& one = *said.back();
  one.number = static_cast<std::uint32_t>(said.size());
  one.by = &by;
  one.begun = agenda_.now();
  by.room->said.push_back(&one);
  return one;
}

void Book::fail(const char* what, const Seat& at, const Said& one) {
  journal_.fail("%s: message %u of seat %u (%s), to %s, at seat %u (%s), session %s", what, one.number, one.by->number,
                one.by->user.c_str(), one.to.empty() ? "all" : one.to.c_str(), at.number, at.user.c_str(),
                at.room == nullptr ? "-" : at.room->name.c_str());
}

// Of two, the second one hears what the first one has said to nobody; who comes back goes on where he was.
static bool may_know_the_past(const Seat& seat) {
  return seat.room->kind == Kind::two ||
         std::any_of(seat.room->seats.begin(), seat.room->seats.end(), [&](const Seat* other) {
           return other->number < seat.number && other->agent == seat.agent;
         });
}

// Of an INVITE that it sent before, the answer may have been lost: then it was in, and its new self has taken the place over.
bool Book::may_have_been_in(const Seat& seat, Instant at) const {
  return std::any_of(seats.begin(), seats.end(), [&](const auto& other) {
    return other->number < seat.number && other->agent == seat.agent && other->room == nullptr && other->asked <= at;
  });
}

void Book::arrived(Seat& at, const Arrival& what) {
  if (at.room == nullptr) {
    at.early.push_back(what);
    return;
  }
  const std::size_t mark = what.content.find('m');
  const auto number = mark == 0 ? static_cast<std::size_t>(std::atoi(what.content.c_str() + 1)) : std::size_t{0};
  if (number == 0 || number > said.size()) {
    journal_.fail("authority: seat %u hears what nobody has said: %s", at.number, what.content.substr(0, 200).c_str());
    return;
  }
  Said& one = *said[number - 1];
  const Instant now = agenda_.now();
  if (one.content != what.content) return fail("bytes: another content", at, one);
  if (one.by->room != at.room) return fail("membership: from another session", at, one);
  if (one.by == &at && one.to.empty()) return fail("membership: back to its sender", at, one);
  if (one.barred || one.by->hostile) return fail("authority: what had to be refused arrives", at, one);
  if (one.aborted) return fail("bytes: what was aborted arrives whole", at, one);
  if (one.by->out < one.begun) return fail("membership: its sender was out", at, one);
  if (at.out < one.begun) return fail("membership: the receiver was out", at, one);
  if (one.answered < at.asked && !may_know_the_past(at) && !may_have_been_in(at, one.answered))
    return fail("membership: it was said before the receiver asked to come in", at, one);
  if (!one.to.empty() && one.to != at.uri) return fail("authority: a private message to somebody else", at, one);
  for (const Seat::Pause& pause : at.pauses) {
    if (pause.sure < one.begun && now < pause.back)
      return fail("membership: the receiver takes nothing now", at, one);
  }
  const bool hides = one.by->anonymous;
  if (hides ? what.from.find("@anonymous.invalid") == std::string::npos : what.from != one.by->uri)
    return fail("authority: a wrong name in From", at, one);
  if (at.room->kind != Kind::two) {  // the ids that a room gives are the same for all
    if (one.id.empty()) one.id = what.id;
    if (one.id != what.id) return fail("once: another Message-ID than others have seen", at, one);
  }
  const auto [place, fresh] = at.place.emplace(&one, at.heard.size());
  if (!fresh) {
    // Only what may not have come the first time.
    if (at.heard[place->second].connection == what.connection) return fail("once: twice", at, one);
    ++again;
    journal_.line("seat %u hears %u again", at.number, one.number);
    return;
  }
  at.heard.push_back({&one, what.connection, now});
  std::uint32_t& last = at.last_turn[one.by];
  if (one.turn != 0 && one.turn < last) return fail("order: behind a later one of its sender", at, one);
  last = std::max(last, one.turn);
  ++delivered;
  if (!one.to.empty()) ++private_ones;
  journal_.line("seat %u hears %u", at.number, one.number);
}

void Book::refused_by(Seat& seat, std::string_view bytes) {
  const std::size_t head = bytes.find("\r\n\r\nContent-Type: ");
  const std::size_t content = head == std::string_view::npos ? head : bytes.find("\r\n\r\nm", head + 4);
  if (content == std::string_view::npos) return;
  const auto number = static_cast<std::size_t>(std::atoi(std::string(bytes.substr(content + 5, 9)).c_str()));
  if (number != 0 && number <= said.size()) seat.refused.insert(said[number - 1].get());
}

void Book::overheard(std::uint32_t agent, std::string_view bytes) {
  for (const auto& [secret, who] : hidden) {
    if (who == agent || bytes.find(secret) == std::string_view::npos) continue;
    journal_.fail("authority: agent %u is told of %s: %s", agent, secret.c_str(),
                  std::string(bytes.substr(0, 800)).c_str());
    return;
  }
}

void Book::server_gone() {
  gone_at = agenda_.now();
  told_refusals = 0;
  for (auto& seat : seats) {
    if (seat->life != server.life) continue;
    seat->leaving = std::min(seat->leaving, agenda_.now());
    seat->troubled = true;
    seat->media = false;
  }
}

bool Book::owed(const Said& one, const Seat& seat, bool lagging) const {
  if (one.barred || one.by->hostile || one.aborted || one.unsure || !one.complete) return false;
  if (one.by->agent == seat.agent) return false;  // what its old self has said it knows
  if (one.status != 200 || (!one.to.empty() && one.to != seat.uri) || seat.hostile) return false;
  if (seat.up == Instant::max() || seat.up >= one.begun || seat.refused.contains(&one)) return false;
  // Of two: what was on its way when his connection broke is not kept, and its sender has been told, or does not want to be.
  // In a larger session what is not kept is counted.
  const bool dropped = one.content.size() + 1000 > kept_max || one.failure == "no" || one.bad_reports != 0;
  if (seat.room->kind == Kind::two && seat.troubled && dropped) return false;
  for (const Seat::Pause& pause : seat.pauses) {
    if (pause.from <= one.answered && one.begun <= pause.to) return false;
  }
  if (seat.leaving == Instant::max() && seat.out == Instant::max()) return seat.media;
  // He has left by himself, and has read all that was on its way.
  return !seat.troubled && !lagging && !seat.sent_off && seat.known <= one.answered && one.answered < seat.leaving;
}

// A device that joins while it is in is one member: until its new connection is there, what comes comes by the old one.
bool Book::heard_by_old_self(const Said& one, const Seat& seat) {
  return std::any_of(seat.room->seats.begin(), seat.room->seats.end(), [&](const Seat* other) {
    return other->agent == seat.agent && other->number < seat.number && other->place.contains(&one);
  });
}

bool Book::nobody_heard(const Said& one) {
  const auto& seats = one.by->room->seats;
  return std::none_of(seats.begin(), seats.end(), [&one](const Seat* seat) { return seat->place.contains(&one); });
}

// Any two have heard what both have heard in one order.
void Book::check_orders(const Room& room) {
  for (const Seat* a : room.seats) {
    for (const Seat* b : room.seats) {
      if (a->number >= b->number) continue;
      std::size_t before = 0;
      const Said* last = nullptr;
      for (const Heard& heard : b->heard) {
        const auto at = a->place.find(heard.said);
        if (at == a->place.end()) continue;
        if (last != nullptr && at->second < before) {
          journal_.fail("order: seat %u hears %u before %u, seat %u the other way round", b->number, last->number,
                        heard.said->number, a->number);
          return;
        }
        before = at->second;
        last = heard.said;
      }
    }
  }
}

void Book::settle(std::uint64_t given_up, std::uint64_t refusals, bool lagging) {
  // Of what wants no answer (RFC 4975 section 7.1.4) nobody is told that it was refused, unless a REPORT says that it was not.
  const std::uint64_t silent = refusals - std::min(refusals, told_refusals);
  std::uint64_t lost = 0;
  const Seat* loser = nullptr;
  const Said* first = nullptr;
  std::set<const Said*> perhaps_refused;
  const auto refused_silently = [&](const Said& one) {
    if (one.failure != "no" || one.good_reports != 0 || !nobody_heard(one)) return false;
    perhaps_refused.insert(&one);
    return perhaps_refused.size() <= silent;
  };
  for (const auto& [name, room] : rooms) {
    for (const Said* one : room->said) {
      for (const Seat* seat : room->seats) {
        if (seat->life != server.life || !owed(*one, *seat, lagging) || seat->place.contains(one)) continue;
        if (heard_by_old_self(*one, *seat)) continue;
        if (refused_silently(*one)) continue;
        ++lost;
        if (first == nullptr) first = one, loser = seat;
      }
    }
    check_orders(*room);
  }
  if (lost > given_up) return fail("once: it was taken and has not come", *loser, *first);
  for (const auto& one : said) {
    if (one->by->hostile || one->unsure || one->by->troubled || one->by->life != server.life) continue;
    if (one->complete && !one->aborted && one->failure == "yes" && one->status == 0)
      return fail("liveness: no answer", *one->by, *one);
    if (one->status == 200 && one->wants_success && !one->aborted && one->good_reports + one->bad_reports == 0 &&
        one->by->room->kind != Kind::two && one->by->is_in() && !refused_silently(*one))
      return fail("liveness: no REPORT", *one->by, *one);
    if (one->good_reports > 1 && one->by->room->kind != Kind::two) return fail("once: two good REPORTs", *one->by, *one);
  }
}

}  // namespace parley::sim::rooms
