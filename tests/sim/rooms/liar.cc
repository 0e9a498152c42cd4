// tests/sim/rooms/liar.cc - see agent.h. What somebody does who means no good, and what it must not lead to.
#include "tests/sim/rooms/agent.h"
#include "tests/sim/rooms/cpim.h"

namespace parley::sim::rooms {

// A session that nobody has named it for, whose identity it has learnt somehow.
const Room* Agent::foreign(std::uint64_t draw) const {
  std::vector<const Room*> found;
  for (const auto& [name, room] : book_.rooms) {
    if (room->life == book_.server.life && room->kind != Kind::group && !room->starter.empty() && !room->allowed.contains(user_))
      found.push_back(room.get());
  }
  return found.empty() ? nullptr : found[draw % found.size()];
}

void Agent::lie(std::uint64_t draw) {
  ++world_.journal.faults;
  const std::uint64_t what = draw % 6;
  const Room* const room = foreign(draw >> 8);
  if (what < 3 && room != nullptr) {
    const std::string identity = "sip:" + room->name + "@127.0.0.1:5060";
    if (what == 0) return join(identity);
    if (what == 1) return subscribe(identity, nullptr, room);
    Message m = make("REFER", identity, identity);
    m.add("Contact", contact());
    m.add("Refer-To", "<sip:" + room->starter + "@" + book_.server.domain + ";method=BYE>");
    return ask(std::move(m), usual_way(), [this, room](const Message* answer) {
      if (answer != nullptr && answer->status < 300 && !room->allowed.contains(user_))
        fail("authority: " + sip::cseq_method(*answer) + " from nobody in " + room->name);
    });
  }
  if (what == 3) {  // the MSRP session of another
    std::vector<const std::string*> paths;
    for (const auto& [path, user] : book_.paths) {
      if (user != user_) paths.push_back(&path);
    }
    if (paths.empty()) return;
    const std::string& path = *paths[(draw >> 8) % paths.size()];
    core::Address from = media_;
    from.port = next_port_++;
    Line* const line = add_line(*world_.connect(place_, std::uint16_t{0}, from), 0);
    strange_.insert(line);
    const std::string tid = "lie" + fresh("x");
    line->write("MSRP " + tid + " SEND\r\nTo-Path: " + path + "\r\nFrom-Path: " + own_uri() + "\r\nMessage-ID: " + tid +
                "\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n\r\nlies!\r\n-------" + tid + "$\r\n");
    after(8s, [this, number = line->number()] {
      for (auto& one : lines_) {
        if (one->number() == number) return one->close();
      }
    });
    return;
  }
  if (Party* const p = any_up(draw >> 8); p != nullptr && p->talk->up()) lie_in(*p, draw >> 16);
}

void Agent::lie_in(Party& p, std::uint64_t draw) {
  const std::string tid = p.talk->fresh();
  const std::string head = p.talk->head(tid, "SEND") + "Message-ID: " + tid + "\r\n";
  const bool group = p.seat->room->kind != Kind::two;
  switch (draw % 6) {
    case 0:
    case 1: {  // by another's name, or to nobody
      if (!group || p.direction == "inactive" || p.direction == "recvonly" || p.changing) return;
      Said& one = book_.say(*p.seat);
      one.barred = true;
      one.content = "m" + std::to_string(one.number) + " false";
      Talk::Plan plan;
      plan.said = &one;
      const std::string other = "sip:somebody@" + book_.server.domain;
      plan.bytes = draw % 6 == 0 ? write_cpim(other, p.focus, one.content) : write_cpim(aor_, other, one.content);
      if (rng_.coin(1, 2)) plan.chunk = rng_.between(1, plan.bytes.size());
      return p.talk->say(std::move(plan));
    }
    case 2: return p.talk->lie(head + "Byte-Range: 7-3/2\r\nContent-Type: message/cpim\r\n\r\nx\r\n-------" + tid + "$\r\n", tid);
    case 3: return p.talk->lie(head + "Byte-Range: 1-4/4\r\nContent-Type: text/html\r\n\r\nabcd\r\n-------" + tid + "#\r\n", tid);
    case 4: return p.talk->lie(p.talk->head(tid, "CLEAN") + "-------" + tid + "$\r\n", tid);
    default: return p.talk->lie("MSRP " + tid + " SEND\r\nTo-Path: nonsense\r\n-------" + tid + "$\r\n", tid);
  }
}

}  // namespace parley::sim::rooms
