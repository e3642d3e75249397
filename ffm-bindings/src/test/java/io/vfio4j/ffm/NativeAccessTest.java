// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class NativeAccessTest {
    @Test
    void shouldPrintTheExactFlagWhenNativeAccessIsNotEnabled() {
        // The tests run on the class path, where the module has no name.
        assertThatThrownBy(() -> NativeAccess.check(false, "Linux"))
                .isInstanceOf(NativeAccessException.class)
                .hasMessage("native access is not enabled: start java with --enable-native-access=ALL-UNNAMED");
    }

    @Test
    void shouldNameTheSystemWhenItIsNotLinux() {
        assertThatThrownBy(() -> NativeAccess.check(true, "Mac OS X"))
                .isInstanceOf(NativeAccessException.class)
                .hasMessage("VFIO is an interface of Linux; this is Mac OS X");
    }

    @Test
    void shouldPassWhenNativeAccessIsEnabledOnLinux() {
        assertThatCode(() -> NativeAccess.check(true, "Linux")).doesNotThrowAnyException();
        assertThatCode(NativeAccess::check).doesNotThrowAnyException();
    }
}
