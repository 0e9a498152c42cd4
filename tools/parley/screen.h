// tools/parley/screen.h - where lines are shown and typed: plain streams, or a terminal with a line that is edited.
//
// One thread reads (Outside in front.cc); show(), complain() and know() may be called by another one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::client {

class Screen {
 public:
  virtual ~Screen() = default;
  // Whole lines.
  virtual void show(std::string_view lines) = 0;
  // Those that say what went wrong.
  virtual void complain(std::string_view lines) = 0;
  // Names to complete, beside commands.
  virtual void know(std::vector<std::string> names) = 0;

  // By the thread that reads. `line` gets each line that is complete; nothing: there are no more.
  using Take = std::function<void(std::optional<std::string>)>;
  virtual void begin(Take line) = 0;
  // Standard input is readable. False: it has ended.
  [[nodiscard]] virtual bool on_input() = 0;
  // Readable when something is to be shown by this thread; -1: never.
  [[nodiscard]] virtual int wake_fd() const { return -1; }
  virtual void on_wake() {}
  virtual void end() {}
};

// A terminal that can move its cursor gets the editor (libedit): history, completion of commands and names with the
// tabulator key. Everything else, TERM=dumb too, plain lines.
[[nodiscard]] std::unique_ptr<Screen> make_screen(bool lines, bool json);

}  // namespace parley::client
