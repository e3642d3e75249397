// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

/** Says that this JVM was not started with the permission to call native functions, and names the flag to pass. */
public final class NativeAccessException extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    NativeAccessException(String message) {
        super(message);
    }
}
