# 2026-08-01 09:00:00 by RouterOS 7.21.5
# software id = KNR1-0002
#
# model = RB5009UG+S+
# serial number = HA000000002
/interface bridge
add name=bridge1
/interface list
add name=WAN
add name=LAN
/interface list member
add interface=ether1 list=WAN
add interface=bridge1 list=LAN
/ip hotspot
add disabled=no interface=bridge1 name=guest-page
/ip pool
add name=dhcp ranges=192.168.88.10-192.168.88.254
add name=vpn ranges=192.168.90.10-192.168.90.50
/ip dhcp-server
add address-pool=dhcp interface=bridge1 name=dhcp1
/ip ipsec mode-config
add address-pool=vpn name=staff
/ip ipsec policy group
add name=staff
/ip ipsec profile
add dh-group=ecp256 enc-algorithm=aes-256 hash-algorithm=sha256 name=strong
/ip ipsec peer
add exchange-mode=ike2 name=staff passive=yes profile=strong
/ip ipsec proposal
add auth-algorithms="" enc-algorithms=aes-256-gcm name=strong pfs-group=ecp256
/snmp community
set [ find default=yes ] disabled=yes
/system logging action
set 3 remote=192.168.88.5
/interface bridge port
add bridge=bridge1 interface=ether2
add bridge=bridge1 interface=ether3
/ip neighbor discovery-settings
set discover-interface-list=LAN
/ip address
add address=192.168.88.1/24 interface=bridge1 network=192.168.88.0
add address=203.0.113.10/24 interface=ether1 network=203.0.113.0
/ip dhcp-server network
add address=192.168.88.0/24 dns-server=192.168.88.1 gateway=192.168.88.1
/ip dns
set allow-remote-requests=yes servers=203.0.113.53
/ip firewall address-list
add address=198.51.100.10 list=maker
/ip firewall filter
add action=accept chain=input connection-state=established,related,untracked
add action=drop chain=input connection-state=invalid
add action=accept chain=input comment="staff VPN" dst-port=500,4500 log=yes \
    protocol=udp src-address-list=maker
add action=accept chain=input log=yes protocol=ipsec-esp src-address-list=maker
add action=drop chain=input in-interface-list=!LAN log=yes
add action=accept chain=forward connection-state=\
    established,related,untracked
add action=drop chain=forward connection-state=invalid
add action=drop chain=forward in-interface-list=WAN log=yes
/ip firewall nat
add action=masquerade chain=srcnat ipsec-policy=out,none out-interface-list=WAN
/ip ipsec identity
add auth-method=eap-radius certificate=server.example.jp generate-policy=\
    port-strict mode-config=staff peer=staff policy-template-group=staff
/ip ipsec policy
add dst-address=192.168.90.0/24 group=staff proposal=strong src-address=\
    192.168.88.0/24 template=yes
/ip route
add dst-address=0.0.0.0/0 gateway=203.0.113.1
/ip service
set ftp disabled=yes
set ssh address=192.168.88.0/26
set telnet disabled=yes
set www disabled=yes
set winbox address=192.168.88.0/26
set api disabled=yes
set api-ssl disabled=yes
/ip ssh
set strong-crypto=yes
/ipv6 settings
set disable-ipv6=yes
/radius
add address=192.168.88.6 service=ipsec
/system clock
set time-zone-name=Asia/Tokyo
/system identity
set name=hinoki-clinic
/system logging
add action=remote topics=info
add action=remote topics=warning
/system note
set show-at-login=no
/system ntp client
set enabled=yes
/system ntp client servers
add address=ntp.example.jp
/tool bandwidth-server
set enabled=no
/tool mac-server
set allowed-interface-list=LAN
/tool mac-server mac-winbox
set allowed-interface-list=LAN
/user settings
set minimum-categories=3 minimum-password-length=13
