// tests/sim/rooms/media.h - the MSRP side of somebody who takes part in sessions: connections that are dialled or wait to
// be, one session on each of them (RFC 4975, RFC 6135).
//
// A Line is a connection; it reads strictly (tests/sim/strict.h). A Talk is a session of one seat: what is to be said, in
// chunks and mixed, what is owed an answer, and what has arrived of a message so far.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/rooms/book.h"
#include "tests/sim/strict.h"
#include "tests/sim/world.h"

namespace parley::sim::rooms {

struct MediaTraits {
  std::uint64_t read_per_tick = 0;    // slow reader; 0: all at once
  std::uint64_t write_per_tick = 0;   // dribbler
  std::uint32_t mute_permille = 0;    // SENDs that get no answer
  std::uint32_t refuse_permille = 0;  // or an error
  Duration answer_max{};
};

// Who has connections.
class LineOwner {
 public:
  virtual ~LineOwner() = default;
  virtual void on_frame(class Line& line, const Frame& frame) = 0;
  virtual void on_line_lost(class Line& line) = 0;  // told once; it is gone when this returns
};

class Line final : public Socket {
 public:
  Line(World& world, LineOwner& owner, Stream& stream, Side side, const MediaTraits& traits, std::uint32_t number);
  ~Line() override;
  void write(std::string bytes);
  [[nodiscard]] bool idle() const { return out_.empty(); }
  // All that the other side had to say has come.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool slow() const { return traits_.read_per_tick != 0; }
  void pause(Duration time);  // of reading
  void abort();
  void close();
  void calm();
  [[nodiscard]] std::uint32_t number() const { return number_; }

  void on_readable() override;
  void on_room() override { pump(); }
  void on_reset() override { lose(); }

 private:
  void pump();
  void tick();
  void lose();

  World& world_;
  LineOwner& owner_;
  Stream& stream_;
  Side side_;
  MediaTraits traits_;
  std::uint32_t number_;
  StrictReader reader_;
  std::string out_;
  Instant paused_until_{};
  bool ticking_ = false;
  bool lost_ = false;
  bool ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// What a Talk asks of whoever it belongs to.
class TalkOwner {
 public:
  virtual ~TalkOwner() = default;
  virtual void on_up(class Talk& talk) = 0;  // messages may flow; again after each new connection
  virtual void on_down(class Talk& talk) = 0;
  virtual void on_status(class Talk& talk, const std::string& what, int status) = 0;  // of something that is no message
};

class Talk {
 public:
  Talk(World& world, Book& book, Rng& rng, Seat& seat, TalkOwner& owner, const MediaTraits& traits, std::string own_uri);

  void set_peer(const std::string& path) { peer_ = path, early_ = false; }
  // What has come before the answer to our INVITE came from a server that has died since: that INVITE has no answer, or
  // has been asked for credentials and goes out anew (RFC 3261 section 22.2), and its offer makes another session.
  void forget_early_peer();
  void set_own(const std::string& uri) { own_ = uri; }
  [[nodiscard]] const std::string& own() const { return own_; }
  [[nodiscard]] const std::string& peer() const { return peer_; }
  [[nodiscard]] Seat& seat() { return seat_; }
  // It has a connection now. `binds`: we say so with a SEND without a body.
  void take(Line* line, bool binds);
  [[nodiscard]] Line* line() const { return line_; }
  [[nodiscard]] bool up() const { return up_; }
  void lost();

  struct Plan {
    Said* said = nullptr;
    std::string bytes;           // the whole body
    std::size_t at = 0;          // of it, written
    std::size_t chunk = 0;       // bytes of one; 0: all
    std::size_t abort_at = 0;    // ends with '#' there; 0: does not
    std::string id;              // Message-ID
    bool star = false;           // ranges with '*'
  };
  void say(Plan plan);
  void nickname(const std::string& name);
  // A frame as it stands, from somebody who means no good; it may be answered, as `tid`, or not.
  void lie(const std::string& bytes, const std::string& tid);
  [[nodiscard]] std::string head(const std::string& tid, const char* method) const;
  void on_frame(const Frame& frame);
  [[nodiscard]] bool busy() const { return !plans_.empty() || !pending_.empty(); }
  // It may send no more: of what nobody answers and may be overtaken by that, nobody knows what will become.
  void stops_sending();
  void behave() { traits_.mute_permille = traits_.refuse_permille = 0, traits_.answer_max = {}; }
  [[nodiscard]] std::string fresh();

 private:
  struct Pending {
    Said* said = nullptr;   // of a message
    bool last = false;
    bool answered = true;   // an answer is owed for sure
    std::string what{};     // else
    bool binds = false;
    std::uint64_t place = 0;  // among what was written
  };
  struct Partial {
    std::string bytes;
    bool refused = false;  // it wants no more of it
  };
  void pump();
  void write_chunk(Plan& plan);
  void take_send(const Frame& frame);
  void take_answer(const Frame& frame);
  void take_report(const Frame& frame);
  void take_whole(const Frame& frame, const std::string& body);
  void answer(const Frame& frame, int status);
  void give_up(Said& said);
  void come_up();
  void fail(const std::string& what);

  World& world_;
  Book& book_;
  Rng& rng_;
  Seat& seat_;
  TalkOwner& owner_;
  MediaTraits traits_;
  std::string own_, peer_;
  bool early_ = false;        // peer_ is known by its connection only, no answer has named it
  unsigned early_life_ = 0;   // of the server, then
  Line* line_ = nullptr;
  bool up_ = false;
  unsigned connections_ = 0;
  std::deque<Plan> plans_;
  std::map<std::string, Pending> pending_;  // by transaction id
  std::set<std::string> lies_;
  std::map<std::string, Partial> partial_;  // by Message-ID
  std::map<std::string, Said*> by_id_;      // ours, by Message-ID
  // What nobody answers, and nothing behind it in this session has been yet: it may still be on its way. By the last one of
  // its SENDs.
  std::map<std::uint64_t, Said*> silent_;
  std::uint64_t next_ = 1;
  std::uint64_t written_ = 0;  // SENDs
};

}  // namespace parley::sim::rooms
