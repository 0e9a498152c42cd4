// tools/parley/screen.cc - see screen.h.
#include "tools/parley/screen.h"

#include <editline/readline.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "tools/parley/chat.h"

namespace parley::client {

namespace {

constexpr std::size_t line_bytes_max = 64 * 1024;  // longer ones are cut into several
constexpr int history_lines_max = 500;

class PlainScreen final : public Screen {
 public:
  void show(std::string_view lines) override {
    std::fwrite(lines.data(), 1, lines.size(), stdout);
    std::fflush(stdout);
  }
  void complain(std::string_view lines) override { std::fwrite(lines.data(), 1, lines.size(), stderr); }
  void know(std::vector<std::string>) override {}
  void begin(Take line) override { line_ = std::move(line); }
  bool on_input() override {
    char block[4096];
    const ssize_t got = ::read(STDIN_FILENO, block, sizeof block);
    if (got <= 0) {
      if (!text_.empty()) line_(std::exchange(text_, {}));
      line_(std::nullopt);
      return false;
    }
    text_.append(block, static_cast<std::size_t>(got));
    for (std::size_t end = text_.find('\n'); end != std::string::npos || text_.size() > line_bytes_max;
         end = text_.find('\n')) {
      const std::size_t size = std::min(end, line_bytes_max);
      std::string line = text_.substr(0, size);
      text_.erase(0, size == end ? size + 1 : size);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      line_(std::move(line));
    }
    return true;
  }

 private:
  Take line_;
  std::string text_;
};

// The editor has one line per process and calls back without saying whose it is.
class Terminal final : public Screen {
 public:
  Terminal() : wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { the_one = this; }
  ~Terminal() override {
    Terminal::end();
    the_one = nullptr;
    ::close(wake_fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void show(std::string_view lines) override {
    const std::lock_guard lock(mutex_);
    waiting_.append(lines);
    (void)::eventfd_write(wake_fd_, 1);
  }
  void complain(std::string_view lines) override { show(lines); }  // what is being typed stays below it
  void know(std::vector<std::string> names) override {
    const std::lock_guard lock(mutex_);
    names_ = std::move(names);
  }
  void begin(Take line) override {
    line_ = std::move(line);
    ::rl_catch_signals = 0;  // they come by signalfd
    ::rl_attempted_completion_function = &Terminal::complete;
    ::stifle_history(history_lines_max);
    ::using_history();
    ::rl_callback_handler_install("> ", &Terminal::typed);
    running_ = true;
  }
  bool on_input() override {
    ::rl_callback_read_char();
    return running_;
  }
  [[nodiscard]] int wake_fd() const override { return wake_fd_; }
  void on_wake() override {
    eventfd_t seen = 0;
    (void)::eventfd_read(wake_fd_, &seen);
    std::string lines;
    {
      const std::lock_guard lock(mutex_);
      lines.swap(waiting_);
    }
    if (lines.empty()) return;
    if (running_) std::fputs("\r\033[K", stdout);
    std::fwrite(lines.data(), 1, lines.size(), stdout);
    std::fflush(stdout);
    if (running_) ::rl_forced_update_display();
  }
  void end() override {
    if (running_) {
      running_ = false;
      ::rl_callback_handler_remove();
      std::fputs("\n", stdout);
    }
    on_wake();
  }

 private:
  static void typed(char* text) {
    Terminal& self = *the_one;
    if (text == nullptr) {
      self.running_ = false;
      ::rl_callback_handler_remove();
      self.line_(std::nullopt);
      return;
    }
    if (*text != '\0') ::add_history(text);
    self.line_(std::string(text, ::strnlen(text, line_bytes_max)));
    std::free(text);
    ::rl_callback_handler_install("> ", &Terminal::typed);  // libedit has left its editing mode with the line
  }

  static char** complete(const char* text, int start, int) {
    ::rl_attempted_completion_over = 1;  // no file names
    the_one->choose(text, start == 0);
    return ::rl_completion_matches(text, &Terminal::next_match);
  }
  void choose(std::string_view text, bool first) {
    matches_.clear();
    if (first) {
      for (const ChatCommand& command : chat_commands()) matches_.push_back("/" + std::string(command.name));
    }
    {
      const std::lock_guard lock(mutex_);
      matches_.insert(matches_.end(), names_.begin(), names_.end());
    }
    std::erase_if(matches_, [&](const std::string& match) { return !match.starts_with(text); });
  }
  static char* next_match(const char*, int state) {
    Terminal& self = *the_one;
    const auto at = static_cast<std::size_t>(state == 0 ? self.at_ = 0 : ++self.at_);
    return at < self.matches_.size() ? ::strdup(self.matches_[at].c_str()) : nullptr;
  }

  static inline Terminal* the_one = nullptr;
  Take line_;
  bool running_ = false;
  std::vector<std::string> matches_;
  std::size_t at_ = 0;
  int wake_fd_;
  std::mutex mutex_;
  std::string waiting_;  // to be shown
  std::vector<std::string> names_;
};

bool can_edit() {
  const char* const term = std::getenv("TERM");
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && term != nullptr && *term != '\0' &&
         std::string_view(term) != "dumb";
}

}  // namespace

std::unique_ptr<Screen> make_screen(bool lines, bool json) {
  if (lines && !json && can_edit()) return std::make_unique<Terminal>();
  return std::make_unique<PlainScreen>();
}

}  // namespace parley::client
