// NCCL between processes of one machine, in shared memory: the functions that minialex/parallel/nccl.py calls, and no
// more.
//
// A communicator is a file that its ranks map: a pipe from every rank to every rank. A call becomes messages: a
// collective's go from each rank to all, empty ones where there is nothing to send, so that each learns what the others
// have called; ncclSend's goes to its peer. A message begins with its Operation, which the receiver compares with its own.
//
// What NCCL would wait for without end is a problem here: a rank that has died, and one that does not come within
// FAKE_PATIENCE seconds. There is no header of NCCL to check against: its wheel is large.

using namespace fake;

namespace fake {

enum Result { OK, SYSTEM = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, REMOTE = 6 };
const char* const RESULTS[] = {"no error",         "unhandled cuda error", "unhandled system error", "internal error",
                               "invalid argument", "invalid usage",        "remote process exited or there was an error"};
const char* const TYPES[] = {"int8",   "uint8",   "int32",   "uint32",  "int64",
                             "uint64", "float16", "float32", "float64", "bfloat16"};
const int SIZES[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2}, MOST_RANKS = 64;
const double patience = setting("FAKE_PATIENCE").empty() ? 60 : atof(setting("FAKE_PATIENCE").c_str());

struct UniqueId {
    char name[128];  // of the file
};

// What a rank has called. All bytes are equal on the ranks of a collective, and of a sender and its receiver.
struct Operation {
    char name[32];
    int64_t type, sum, root;
    uint64_t count;

    std::string text() const {
        std::string kind = std::string(name) + " of " + std::to_string(count) + " " + TYPES[type];
        return root < 0 ? kind : kind + " with root " + std::to_string(root);
    }
};

struct Pipe {
    static const size_t ROOM = 1 << 16;
    std::atomic<uint64_t> written, read;  // bytes since the beginning
    char bytes[ROOM];

    // Moves up to `size` bytes, as far as the other end permits; returns how many.
    size_t write(const char* from, size_t size) {
        const size_t at = written % ROOM, n = std::min({size, ROOM - at, ROOM - size_t(written - read)});
        memcpy(bytes + at, from, n);
        written += n;
        return n;
    }

    size_t take(char* to, size_t size) {
        const size_t at = read % ROOM, n = std::min({size, ROOM - at, size_t(written - read)});
        memcpy(to, bytes + at, n);
        read += n;
        return n;
    }
};

struct Shared {
    std::atomic<int> size, broken, devices[MOST_RANKS];  // 1 + the number among the machine's, 0 until the rank has come
    Pipe pipes[];
};

struct Comm {
    int rank, size, device, file = -1;
    size_t bytes = 0;
    Shared* shared = nullptr;
    bool aborted = false;

    Pipe* pipe(int from, int to) const { return &shared->pipes[from * size + to]; }

    // Whether a rank's process lives: each holds a lock on one byte of the file.
    bool alive(int other) const {
        struct flock lock = {F_WRLCK, SEEK_SET, other, 1, 0};
        return other == rank || (fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK);
    }

    int fail(const std::string& why, Result result) const {
        shared->broken = 1;
        problem("rank " + std::to_string(rank) + " of " + std::to_string(size) + ": " + why);
        return result;
    }
};

struct Message {
    const Comm* comm;
    int peer;
    bool outgoing;
    Operation operation;
    char* data;
    size_t bytes;

    Operation theirs = {};
    size_t moved = 0;  // of the operation and the data

    Pipe* pipe() const { return outgoing ? comm->pipe(comm->rank, peer) : comm->pipe(peer, comm->rank); }
    bool complete() const { return moved == sizeof(Operation) + bytes; }
    bool comparable() const { return outgoing || moved < sizeof(Operation) || !memcmp(&theirs, &operation, sizeof theirs); }

    bool advance() {
        const bool head = moved < sizeof(Operation);
        char* begin = head ? (char*)(outgoing ? &operation : &theirs) : data - sizeof(Operation);
        const size_t left = (head ? sizeof(Operation) : sizeof(Operation) + bytes) - moved;
        const size_t n = outgoing ? pipe()->write(begin + moved, left) : pipe()->take(begin + moved, left);
        moved += n;
        return n;
    }
};

// Moves all messages, those of one pipe one after the other, until all have arrived. Returns what went wrong, or "".
std::string exchange(std::vector<Message> messages) {
    double since = now();
    bool dead = false;
    for (;;) {
        bool progress = false;
        const Message* waiting = nullptr;
        std::set<std::pair<Pipe*, bool>> busy;
        for (Message& message : messages) {
            if (message.complete() && !(message.outgoing && message.pipe()->written != message.pipe()->read)) continue;
            if (!waiting) waiting = &message;
            if (message.complete() || !busy.insert({message.pipe(), message.outgoing}).second) continue;
            progress |= message.advance();
            if (!message.comparable())
                return "it calls " + message.operation.text() + ", and rank " + std::to_string(message.peer) +
                       " calls " + message.theirs.text();
        }
        if (!waiting) return "";
        const std::string who = "rank " + std::to_string(waiting->peer);
        const std::string at = ", for which " + waiting->operation.text() + " waits";
        if (progress) {
            since = now();
            dead = false;
        } else if (waiting->comm->shared->broken) {
            return waiting->operation.text() + " ends, for another rank had a problem";
        } else if (now() - since > patience) {
            return who + at + ", does not come";
        } else if (dead) {
            return who + at + ", has ended";
        } else if (!waiting->comm->alive(waiting->peer)) {
            dead = true;  // what it wrote before its end is there when one looks once more
        } else {
            usleep(50);
        }
    }
}

// ---------------------------------------------------------------------------------------------- calls and groups

struct Task {
    const Comm* comm;
    Operation operation;
    Stream* stream;
    std::vector<Message> messages = {};
    std::function<void()> finish = [] {};  // once all have arrived

    size_t bytes(size_t count) const { return count * SIZES[operation.type]; }

    void send(int to, const void* data, size_t count) {
        messages.push_back({comm, to, true, operation, (char*)data, bytes(count)});
    }

    void receive(int from, void* data, size_t count) {
        messages.push_back({comm, from, false, operation, (char*)data, bytes(count)});
    }

    template <class T>
    void receive_sum(void* result, size_t count) {
        auto parts = std::make_shared<std::vector<T>>(count * comm->size);
        for (int rank = 0; rank < comm->size; ++rank) receive(rank, parts->data() + rank * count, count);
        finish = [=, size = comm->size] {
            for (size_t i = 0; i < count; ++i) {
                T sum = (*parts)[i];
                for (int rank = 1; rank < size; ++rank) sum += (*parts)[rank * count + i];
                ((T*)result)[i] = sum;
            }
        };
    }

    // The sum of what all ranks send, in the order of the ranks.
    void receive_sum_of_all(void* result, size_t count) {
        switch (operation.type) {
            case 0: return receive_sum<int8_t>(result, count);
            case 1: return receive_sum<uint8_t>(result, count);
            case 2: return receive_sum<int32_t>(result, count);
            case 3: return receive_sum<uint32_t>(result, count);
            case 4: return receive_sum<int64_t>(result, count);
            case 5: return receive_sum<uint64_t>(result, count);
            case 7: return receive_sum<float>(result, count);
            case 8: return receive_sum<double>(result, count);
        }
    }
};

thread_local int open_groups = 0;
thread_local std::vector<Task> group;

// Queues tasks as one piece of work.
int launch(const std::vector<Task>& tasks) {
    if (tasks.empty()) return OK;
    const Comm* comm = tasks[0].comm;
    for (const Task& task : tasks)
        if (task.stream != tasks[0].stream || task.comm != comm)
            return comm->fail("a group with several streams or communicators is not simulated", INVALID_USAGE);
    push(tasks[0].stream, [=] {
        if (comm->aborted) return;
        std::vector<Message> messages;
        for (const Task& task : tasks) messages.insert(messages.end(), task.messages.begin(), task.messages.end());
        running = tasks[0].operation.name;
        const std::string wrong = comm->shared->broken ? "nothing is done after a problem" : exchange(messages);
        if (!wrong.empty()) comm->fail(wrong, REMOTE);
        for (const Task& task : tasks)
            if (wrong.empty()) task.finish();
        running = nullptr;
    });
    return comm->shared->broken ? REMOTE : OK;
}

// Checks a call as NCCL does, lets `plan` add its messages, and queues it, at the group's end if it is in one.
// op and root: -1 where there is none. sent, received: elements in the arrays at `from` and `to`.
template <class Plan>
int submit(const char* name, const Comm* comm, size_t count, int type, int op, int root, const void* from, size_t sent,
           void* to, size_t received, void* stream, Plan plan) {
    if (!comm) return problem(std::string(name) + " without a communicator"), INVALID_ARGUMENT;
    if (type < 0 || type > 9 || root < -1 || root >= comm->size)
        return comm->fail(std::string(name) + " with type " + std::to_string(type) + " and rank " +
                              std::to_string(root) + " is not permitted", INVALID_ARGUMENT);
    if (op > 0 || (op == 0 && (type == 6 || type == 9)))
        return comm->fail(std::string(name) + " by operation " + std::to_string(op) + " on " + TYPES[type] +
                              " is not simulated", INVALID_ARGUMENT);
    Operation operation = {{}, type, op, root, count};
    strncpy(operation.name, name, sizeof operation.name - 1);
    Task task{comm, operation, at(stream)};
    auto outside = [&](const void* array, size_t size) {
        return size && !(on_device(array, task.bytes(size)) && device_of(array) == comm->device);
    };
    if (outside(from, sent) || outside(to, received))
        return comm->fail(operation.text() + " reaches outside of the memory of device " +
                              std::to_string(comm->device), INVALID_ARGUMENT);
    plan(task);
    if (!open_groups) return launch({task});
    group.push_back(task);
    return OK;
}

// ---------------------------------------------------------------------------------------------- communicators

// Maps the file; returns what went wrong, or "".
std::string open_file(Comm& comm, const char* name) {
    comm.bytes = sizeof(Shared) + comm.size * comm.size * sizeof(Pipe);
    comm.file = shm_open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (comm.file < 0 || ftruncate(comm.file, comm.bytes)) return std::string("no shared memory: ") + strerror(errno);
    void* pages = mmap(nullptr, comm.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, comm.file, 0);
    if (pages == MAP_FAILED) return std::string("no shared memory: ") + strerror(errno);
    comm.shared = (Shared*)pages;
    struct flock lock = {F_WRLCK, SEEK_SET, comm.rank, 1, 0};
    return fcntl(comm.file, F_SETLK, &lock) ? "another process has this rank" : "";
}

// Waits until all ranks have come; returns what went wrong, or "".
std::string meet(Comm& comm) {
    int size = 0;
    if (!comm.shared->size.compare_exchange_strong(size, comm.size) && size != comm.size)
        return "another rank was told of " + std::to_string(size) + " ranks";
    const int device = first_device + comm.device;
    comm.shared->devices[comm.rank] = device + 1;
    const double since = now();
    for (int rank = 0; rank < comm.size;) {
        if (comm.shared->devices[rank]) {
            if (rank != comm.rank && comm.shared->devices[rank] == device + 1)
                return "rank " + std::to_string(rank) + " has the same device " + std::to_string(device);
            ++rank;
        } else if (now() - since > patience || comm.shared->broken) {
            return "rank " + std::to_string(rank) + " does not come";
        } else {
            usleep(50);
        }
    }
    return "";
}

void close(Comm* comm) {
    munmap(comm->shared, comm->bytes);
    ::close(comm->file);
    delete comm;
}

}  // namespace fake

extern "C" {

const char* ncclGetErrorString(int result) { return RESULTS[result]; }

int ncclGetVersion(int* version) { return *version = 22707, OK; }

int ncclGetUniqueId(UniqueId* id) {
    Call call(__func__);
    *id = {};
    snprintf(id->name, sizeof id->name, "/fake-nccl-%d-%lld", getpid(), (long long)(1e9 * now()));
    return OK;
}

int ncclCommInitRankConfig(Comm** made, int size, UniqueId id, int rank, void*) {
    Call call(__func__);
    if (size < 1 || size > MOST_RANKS || rank < 0 || rank >= size) return INVALID_ARGUMENT;
    Comm* comm = *made = new Comm{rank, size, current_device};
    std::string wrong = open_file(*comm, id.name);
    if (wrong.empty()) wrong = meet(*comm);
    if (!rank || !wrong.empty()) shm_unlink(id.name);
    if (wrong.empty()) return OK;
    if (comm->shared) return comm->fail(wrong, INVALID_USAGE);
    problem(wrong);
    return SYSTEM;
}

// Waits for the work that is queued, as the real one does.
int ncclCommDestroy(Comm* comm) {
    Call call(__func__);
    drain_all();
    close(comm);
    return OK;
}

int ncclCommAbort(Comm* comm) {
    Call call(__func__);
    comm->shared->broken = comm->aborted = true;
    drain_all();
    close(comm);
    return OK;
}

int ncclGroupStart() {
    Call call(__func__);
    ++open_groups;
    return OK;
}

int ncclGroupEnd() {
    Call call(__func__);
    if (!open_groups) return problem("ncclGroupEnd without a ncclGroupStart"), INVALID_USAGE;
    if (--open_groups) return OK;
    const std::vector<Task> tasks = std::move(group);
    group.clear();
    return launch(tasks);
}

int ncclAllReduce(const void* from, void* to, size_t count, int type, int op, Comm* comm, void* stream) {
    Call call(__func__);
    return submit("ncclAllReduce", comm, count, type, op, -1, from, count, to, count, stream, [=](Task& task) {
        for (int rank = 0; rank < comm->size; ++rank) task.send(rank, from, count);
        task.receive_sum_of_all(to, count);
    });
}

int ncclReduce(const void* from, void* to, size_t count, int type, int op, int root, Comm* comm, void* stream) {
    Call call(__func__);
    const bool here = comm && comm->rank == root;
    return submit("ncclReduce", comm, count, type, op, root, from, count, to, here * count, stream, [=](Task& task) {
        for (int rank = 0; rank < comm->size; ++rank) task.send(rank, from, rank == root ? count : 0);
        if (here) return task.receive_sum_of_all(to, count);
        for (int rank = 0; rank < comm->size; ++rank) task.receive(rank, nullptr, 0);
    });
}

int ncclReduceScatter(const void* from, void* to, size_t count, int type, int op, Comm* comm, void* stream) {
    Call call(__func__);
    const size_t all = comm ? count * comm->size : 0;
    return submit("ncclReduceScatter", comm, count, type, op, -1, from, all, to, count, stream, [=](Task& task) {
        for (int rank = 0; rank < comm->size; ++rank) task.send(rank, (char*)from + task.bytes(rank * count), count);
        task.receive_sum_of_all(to, count);
    });
}

int ncclAllGather(const void* from, void* to, size_t count, int type, Comm* comm, void* stream) {
    Call call(__func__);
    const size_t all = comm ? count * comm->size : 0;
    return submit("ncclAllGather", comm, count, type, -1, -1, from, count, to, all, stream, [=](Task& task) {
        for (int rank = 0; rank < comm->size; ++rank) task.send(rank, from, count);
        for (int rank = 0; rank < comm->size; ++rank) task.receive(rank, (char*)to + task.bytes(rank * count), count);
    });
}

int ncclBroadcast(const void* from, void* to, size_t count, int type, int root, Comm* comm, void* stream) {
    Call call(__func__);
    const size_t sent = comm && comm->rank == root ? count : 0;
    return submit("ncclBroadcast", comm, count, type, -1, root, from, sent, to, count, stream, [=](Task& task) {
        for (int rank = 0; rank < comm->size; ++rank) task.send(rank, from, sent);
        for (int rank = 0; rank < comm->size; ++rank) task.receive(rank, to, rank == root ? count : 0);
    });
}

// A message to or from one rank has the same Operation on both sides.
int ncclSend(const void* from, size_t count, int type, int to, Comm* comm, void* stream) {
    Call call(__func__);
    if (comm && (to < 0 || to >= comm->size)) return comm->fail("ncclSend to no rank", INVALID_ARGUMENT);
    return submit("ncclSend", comm, count, type, -1, -1, from, count, nullptr, 0, stream,
                  [=](Task& task) { task.send(to, from, count); });
}

int ncclRecv(void* to, size_t count, int type, int from, Comm* comm, void* stream) {
    Call call(__func__);
    if (comm && (from < 0 || from >= comm->size)) return comm->fail("ncclRecv from no rank", INVALID_ARGUMENT);
    return submit("ncclSend", comm, count, type, -1, -1, nullptr, 0, to, count, stream,
                  [=](Task& task) { task.receive(from, to, count); });
}

}  // extern "C"
