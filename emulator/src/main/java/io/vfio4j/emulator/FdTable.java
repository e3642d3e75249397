// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which fds are emulated. Looking one up takes no lock and allocates nothing, for every read does it. */
final class FdTable {
    private volatile EmulatedFile[] files = new EmulatedFile[0];

    @Nullable
    EmulatedFile get(int fd) {
        EmulatedFile[] now = files;
        return fd >= 0 && fd < now.length ? now[fd] : null;
    }

    synchronized void put(int fd, EmulatedFile file) {
        EmulatedFile[] grown = Arrays.copyOf(files, Math.max(files.length, fd + 1));
        grown[fd] = file;
        files = grown;
    }

    synchronized @Nullable EmulatedFile remove(int fd) {
        EmulatedFile file = get(fd);
        if (file != null) {
            EmulatedFile[] shrunk = files.clone();
            shrunk[fd] = null;
            files = shrunk;
        }
        return file;
    }

    synchronized List<Integer> fds() {
        List<Integer> fds = new ArrayList<>();
        for (int fd = 0; fd < files.length; fd++) {
            if (files[fd] != null) {
                fds.add(fd);
            }
        }
        return fds;
    }
}
